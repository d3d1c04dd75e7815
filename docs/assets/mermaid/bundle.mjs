// Bundles Mermaid without the kinds of diagrams that no page has; run by build.sh.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const WANTED = /flowDiagram|dagre/;

const onlyFlowCharts = {
  name: "only-flow-charts",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === "dynamic-import" && !WANTED.test(path) ? { path, namespace: "left-out" } : undefined,
    );
    onLoad({ filter: /./, namespace: "left-out" }, () => ({ contents: "export default undefined" }));
  },
};

const { metafile } = await build({
  entryPoints: ["diagrams.js"],
  outfile: "mermaid.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none",
  logLevel: "warning",
  banner: { js: "/*! Mermaid (MIT), bundled with what it needs; licenses: LICENSES.txt beside it. */" },
  plugins: [onlyFlowCharts],
  metafile: true,
});

const folders = new Set();
for (const { inputs } of Object.values(metafile.outputs)) {
  for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
    const inside = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
    if (inside && bytesInOutput) folders.add(inside[0]);
  }
}
const notices = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `(license: ${license})`;
  return `${name} ${version}\n\n${text}\n`;
});
writeFileSync("LICENSES.txt", notices.join(`\n${"-".repeat(78)}\n\n`));
