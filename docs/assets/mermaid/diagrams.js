// What the pages draw with: Mermaid with flow charts alone.
import mermaid from "mermaid";

// Drawn in their own size, and scrolled where the page is narrower: shrunk, nobody can read them.
const flowchart = { useMaxWidth: false, nodeSpacing: 30, rankSpacing: 40, wrappingWidth: 360 };
const { initialize } = mermaid;
mermaid.initialize = (config) => initialize({ ...config, flowchart });
globalThis.mermaid = mermaid;

// A large one is first shown small, to find the way in it; a click changes between the two.
const MUCH = 1.5;
const SMALLEST = 0.4;

function showSmall(drawing) {
  const fits = drawing.clientWidth / drawing.scrollWidth;
  if (fits * MUCH > 1) return;
  const small = Math.max(fits, SMALLEST);
  const change = (zoom) => {
    drawing.style.zoom = zoom;
    drawing.style.cursor = zoom === 1 ? "zoom-out" : "zoom-in";
  };
  change(small);
  drawing.addEventListener("click", () => change(Number(drawing.style.zoom) === 1 ? small : 1));
}

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.matches?.("div.mermaid")) requestAnimationFrame(() => showSmall(node));
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });
