// Elements, charts and panels. Text from outside becomes text nodes, never markup.

/** Make an element; children are elements or text. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const statusColor = (status) => token("status-" + status);
const seriesColor = (index) => token("series-" + ((index % 8) + 1));
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

let tips = 0;
/** A button that explains: on hover, on focus, closed by Escape. */
function explanation(title, names, more = []) {
  const id = "tip" + ++tips;
  const parts = names.flatMap((name) => {
    const meaning = cube.metrics[name];
    if (!meaning) return [];
    return [
      h("p", {}, h("strong", {}, sentence(plain(name)) + ": "), meaning.formula),
      h("p", { class: "contract" }, meaning.contract, " ", meaning.model),
      meaning.differs ? h("p", { class: "contract" }, "Differs from the source: ", meaning.differs) : null,
    ];
  });
  const tip = h("div", { class: "tip", role: "tooltip", id }, parts, more.map((text) => h("p", {}, text)));
  const button = h("button", { type: "button", class: "info", "aria-label": `What is ${title}?`, "aria-describedby": id }, "i");
  const wrap = h("span", { class: "explains" }, button, tip);
  wrap.addEventListener("keydown", (event) => event.key === "Escape" && wrap.classList.add("closed"));
  for (const when of ["mouseenter", "focusin"]) wrap.addEventListener(when, () => wrap.classList.remove("closed"));
  return wrap;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv;charset=utf-8" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function tableOf({ columns, rows }, unit, { caption, bar = null, barred = () => true } = {}) {
  const numeric = (column) => column.kind && column.kind !== "text";
  const widest = bar === null ? 0 : Math.max(0, ...rows.filter(barred).map((row) => row[bar] || 0));
  const line = (row) =>
    h("tr", {}, columns.map((column, at) => {
      const text = KINDS[column.kind || "text"].read(row[at], unit);
      const attributes = { class: (numeric(column) ? "number" : "") + (at === 0 && bar !== null ? " barred" : "") };
      if (text.length > 24 && !numeric(column)) attributes.title = text;
      const cell = at === 0 ? h("th", { scope: "row", ...attributes }, text) : h("td", attributes, text);
      if (at === 0 && bar !== null && barred(row) && row[bar] > 0) {
        const strip = h("span", { class: "strip", "aria-hidden": "true" });
        strip.style.width = `${(100 * row[bar]) / widest}%`;
        cell.append(strip);
      }
      return cell;
    }));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    h("table", {}, h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: numeric(column) ? "number" : "" }, column.name)))),
      h("tbody", {}, rows.map(line))));
}

// --- panels -----------------------------------------------------------------------------------

const charts = new Map();
const opened = new Set(); // panels whose figures are shown as a table

/** Draw a panel. `shown` has the table behind it, and a chart's option or elements:
 *  {table, chart, height, body, notes, empty, controls, caption}. */
function drawPanel(element, panel, shown, selection) {
  const { id, title, metrics = [], about = [] } = panel;
  charts.get(id)?.dispose();
  charts.delete(id);
  const unit = selection.money;
  const heading = h("h3", { id: id + "-title" }, shown.title || title);
  const file = `orders-${id}-${isoOf(selection.from)}-${isoOf(selection.to)}.csv`;
  const isEmpty = Boolean(shown.empty);
  const tools = h("span", { class: "panel-tools" }, shown.controls || null,
    isEmpty ? null : h("button", { type: "button", class: "small", "data-csv": id, "aria-label": `Download ${title} as CSV`, onclick: () => download(file, csv(shown.table, unit)) }, "CSV"));
  const head = h("div", { class: "panel-head" }, heading, metrics.length || about.length ? explanation(title, metrics, about) : null, tools);
  const notes = (shown.notes || []).filter(Boolean).map((note) => h("p", { class: "note" }, note));
  element.replaceChildren(head, ...notes);
  element.setAttribute("aria-labelledby", id + "-title");
  if (isEmpty) {
    element.append(h("p", { class: "empty" }, shown.empty));
    return;
  }
  if (shown.chart) {
    const place = h("div", { class: "chart" });
    place.style.height = (shown.height || 260) + "px";
    element.append(place);
    const chart = echarts.init(place, null, { renderer: "svg" });
    chart.setOption(dressed(shown.chart, `${shown.title || title}. ${shown.caption || ""}`));
    charts.set(id, chart);
    const figures = h("details", { class: "figures", open: opened.has(id) }, h("summary", {}, "Figures"));
    const fill = () => {
      if (figures.open && figures.children.length === 1) figures.append(tableOf(shown.table, unit, { caption: `Figures of ${title}` }));
      figures.open ? opened.add(id) : opened.delete(id);
    };
    figures.addEventListener("toggle", fill);
    fill();
    element.append(figures);
  }
  if (shown.body) element.append(...[shown.body].flat());
}

/** Colours and fonts of the theme, and a text for those who do not see the chart. */
function dressed(option, description) {
  const font = { fontFamily: FONT, fontSize: 12, color: token("muted") };
  const axis = (given) => ({
    axisLine: { lineStyle: { color: token("line") } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: token("line") } },
    ...given,
    axisLabel: { ...font, hideOverlap: true, ...given.axisLabel },
  });
  return {
    animation: false,
    textStyle: { fontFamily: FONT },
    aria: { enabled: true, label: { enabled: true, description } },
    ...option,
    grid: { left: 4, right: 12, top: option.legend ? 34 : 10, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "axisLabel", ...option.grid },
    legend: option.legend && { top: 0, left: 0, itemWidth: 12, itemHeight: 10, itemGap: 14, icon: "roundRect", type: "plain", ...option.legend, textStyle: { ...font, color: token("text") } },
    xAxis: axis(option.xAxis),
    yAxis: axis(option.yAxis),
    tooltip: { className: "chart-tip", confine: true, backgroundColor: token("card"), borderColor: token("line"), textStyle: { ...font, color: token("text") }, transitionDuration: 0, ...option.tooltip },
  };
}

/** The box beside the pointer, made of text nodes. */
function tipOf(title, lines, foot = null) {
  return h("div", {}, h("div", { class: "chart-tip-title" }, title),
    lines.map(([color, name, value]) => {
      const mark = h("span", { class: "dot" });
      mark.style.backgroundColor = color || "transparent";
      return h("div", { class: "chart-tip-line" }, mark, h("span", {}, name), h("b", {}, value));
    }), foot ? h("div", { class: "chart-tip-foot" }, foot) : null);
}

/** Bars on top of each other, one stack per step; steps that are not whole are pale.
 *  `line`: {name, color, data} of a line over them. */
function stackedBars(found, names, selection, { color, label = (name) => name, read, axis = read, line = null, max = null }) {
  const { steps: all, series } = found;
  const steps = all.map((step) => stepName(step, selection.grain));
  const order = names.filter((name) => series.has(name));
  const bars = order.map((name) => ({
    name: label(name),
    type: "bar",
    stack: "all",
    barCategoryGap: all.length > 60 ? "8%" : "22%",
    itemStyle: { color: color(name) },
    emphasis: { disabled: true },
    data: series.get(name).map((value, at) => (all[at].isWhole ? value : { value, itemStyle: { opacity: 0.35 } })),
  }));
  if (line) {
    bars.push({
      name: line.name, type: "line", data: line.data, showSymbol: all.length === 1, symbolSize: 5, z: 5, connectNulls: false,
      lineStyle: { color: line.color, width: 1.6, type: [5, 4] }, itemStyle: { color: line.color }, emphasis: { disabled: true },
    });
  }
  const short = new Map(all.map((step) => [stepName(step, selection.grain), stepText(step, selection.grain)]));
  return {
    legend: { data: bars.map((one) => (one.type === "line" ? { name: one.name, icon: "path://M0,4 L6,4 L6,6 L0,6 Z M9,4 L15,4 L15,6 L9,6 Z" } : one.name)) },
    xAxis: { type: "category", data: steps, splitLine: { show: false }, axisLabel: { formatter: (name) => short.get(name) || name } },
    yAxis: { type: "value", max, axisLabel: { formatter: axis }, splitNumber: 4 },
    series: bars,
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: token("shade") } },
      formatter: (items) => {
        const at = items[0].dataIndex;
        const lines = order.map((name) => [color(name), label(name), read(series.get(name)[at])]);
        if (order.length > 1) lines.push([null, "Together", read(order.reduce((total, name) => total + series.get(name)[at], 0))]);
        if (line && line.data[at] !== null) lines.push([line.color, line.name, read(line.data[at])]);
        return tipOf(steps[at], lines, all[at].isWhole ? null : "Not the whole step: the period cuts it, or its days are not complete.");
      },
    },
  };
}

/** The table behind stacked bars. */
function tableOfSteps(found, names, selection, { label = (name) => name, kind, first = sentence(selection.grain), unitName = "" }) {
  const order = names.filter((name) => found.series.has(name));
  return {
    columns: [{ name: first + " from" }, { name: "Whole" }, ...order.map((name) => ({ name: label(name) + unitName, kind }))],
    rows: found.steps.map((step, at) => [isoOf(step.start), step.isWhole ? "yes" : "no", ...order.map((name) => found.series.get(name)[at])]),
  };
}

/** Lying bars, one per row: {name, value, color, text}. */
function lyingBars(rows, { read }) {
  const named = new Map(rows.map((row) => [row.name, row]));
  return {
    grid: { right: 84 },
    xAxis: { type: "value", axisLabel: { show: false }, splitLine: { show: false }, axisLine: { show: false } },
    yAxis: { type: "category", inverse: true, data: rows.map((row) => row.name), axisLine: { show: false }, splitLine: { show: false }, axisLabel: { color: token("text") } },
    series: [{
      type: "bar", barWidth: "62%", emphasis: { disabled: true },
      data: rows.map((row) => ({ value: row.value, itemStyle: { color: row.color, borderRadius: [0, 3, 3, 0] } })),
      label: { show: true, position: "right", color: token("text"), fontFamily: FONT, fontSize: 12, formatter: ({ dataIndex }) => rows[dataIndex].text },
    }],
    tooltip: { trigger: "item", formatter: ({ name }) => tipOf(name, [[named.get(name).color, read(named.get(name).value), named.get(name).text]]) },
  };
}

/** A small line without axes; steps that are not whole are left out. */
function sparkline(values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return null;
  const low = Math.min(...known, 0), high = Math.max(...known);
  const span = high - low || 1;
  const points = values.map((value, at) => (value === null ? null : [(at / (values.length - 1)) * 100, 28 - ((value - low) / span) * 26]));
  let path = "", pen = "M";
  for (const point of points) {
    if (point === null) { pen = "M"; continue; }
    path += `${pen}${point[0].toFixed(1)},${point[1].toFixed(1)}`;
    pen = "L";
  }
  const drawing = svg("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" });
  drawing.append(svg("path", { d: path, fill: "none", "vector-effect": "non-scaling-stroke" }));
  return drawing;
}
