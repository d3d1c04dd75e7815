// The page itself: filters, key figures, panels, theme, and what to do when something changes.

const at = (id) => document.getElementById(id);
const STALE_SECONDS = cube.fresh_for_seconds;

// --- filters ------------------------------------------------------------------------------------

function change(changes) {
  choice = { ...choice, ...changes };
  writeAddress();
  show();
}

/** A button that stands pressed while its choice holds. */
function chip(key, text, isPressed, onclick, color = null) {
  const mark = color && h("span", { class: "dot", "aria-hidden": "true" });
  if (mark) mark.style.backgroundColor = color;
  return h("button", { type: "button", class: "chip", "data-key": key, "aria-pressed": String(isPressed), onclick }, mark, text);
}

const group = (name, ...parts) => h("fieldset", { class: "group" }, h("legend", {}, name), ...parts);

/** Several of a list; none chosen is all. */
function several(name, title, known, label, color = null) {
  const chosen = choice[name];
  const toggled = (value) => {
    const next = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
    return next.length === known.length ? [] : known.filter((one) => next.includes(one));
  };
  return group(title,
    chip(name, "All", chosen.length === 0, () => change({ [name]: [] })),
    known.map((value) => chip(`${name}-${value}`, label(value), chosen.includes(value), () => change({ [name]: toggled(value) }), color && color(value))));
}

function segmented(name, options, title) {
  return h("span", { class: "segments", role: "group", "aria-label": title },
    Object.entries(options).map(([value, text]) => chip(`${name}-${value}`, text, choice[name] === value, () => change({ [name]: value }))));
}

function dateField(name, text, selection) {
  const field = h("input", { type: "date", value: isoOf(selection[name]), "data-key": name, "aria-label": text });
  const take = () => {
    if (!field.value || field.value === isoOf(selection[name])) return;
    const dates = { from: isoOf(selection.from), to: isoOf(selection.to), [name]: field.value };
    if (dates.from > dates.to) dates[name === "from" ? "to" : "from"] = field.value;
    change({ period: null, ...dates });
  };
  // While a date is typed it is another valid date after each key: wait until it is left.
  let typing = false;
  field.addEventListener("pointerdown", () => (typing = false));
  field.addEventListener("keydown", ({ key }) => (key === "Enter" ? take() : (typing = key !== "Tab")));
  field.addEventListener("change", () => typing || take());
  field.addEventListener("blur", () => setTimeout(take)); // when the next control has the focus
  return field;
}

function drawFilters(selection) {
  const offered = accounts.filter((account) => !choice.source.length || choice.source.includes(account.source));
  const isAmbiguous = new Set(offered.map((account) => account.source)).size < offered.length;
  const grains = [["", `Auto (${selection.grain})`], ...GRAINS.map((grain) => [grain, sentence(grain)])];
  const grain = h("select", { "data-key": "grain", "aria-label": "Step" }, grains.map(([value, text]) => h("option", { value, selected: (choice.grain || "") === value }, text)));
  grain.addEventListener("change", () => change({ grain: grain.value || null }));
  const currencyText = (currency) => (currencies.find((known) => known.currency === currency).gives_money ? currency : "no money");
  const reset = { period: "90d", from: null, to: null, source: [], account: [], currency: null, status: [], grain: null };
  at("filters").replaceChildren(...[
    group("Period",
      Object.entries(PRESETS).map(([value, text]) => chip(`period-${value}`, text, choice.period === value, () => change({ period: value, from: null, to: null }))),
      h("span", { class: "dates" }, dateField("from", "From", selection), h("span", { "aria-hidden": "true" }, "to"), dateField("to", "To", selection))),
    knownSources.length > 1 ? several("source", "Source", knownSources, sourceName) : null,
    isAmbiguous || choice.account.length ? several("account", "Account", offered.map((account) => account.key), (key) => accountOf.get(key).account) : null,
    selection.traded.length > 1 ? group("Currency", selection.traded.map((currency) => chip(`currency-${currency}`, currencyText(currency), currency === selection.currency, () => change({ currency })))) : null,
    knownStatuses.length ? several("status", "Status", knownStatuses, (status) => status, statusColor) : null,
    group("Step", grain, h("button", { type: "button", class: "chip", "data-key": "reset", onclick: () => change(reset) }, "Reset")),
  ].filter(Boolean));
}

// --- key figures --------------------------------------------------------------------------------

const FIGURES = [
  { id: "net-revenue", name: "Net revenue", metrics: ["net_revenue"], kind: "money", good: 1, of: (sum) => sum.net },
  { id: "orders", name: "Orders", metrics: ["orders_placed", "orders_recognised"], kind: "number", good: 1, of: (sum) => sum.placed,
    beside: (sum) => `${count(sum.recognised)} recognised as revenue` },
  { id: "average-order", name: "Average order", metrics: ["average_order_net"], kind: "money", good: 1, of: (sum) => (sum.recognised ? Math.round(sum.net / sum.recognised) : null),
    beside: () => "per recognised order" },
  { id: "discounts", name: "Discounts", metrics: ["discounts"], kind: "money", good: 0, of: (sum) => sum.discounts,
    beside: (sum, unit) => `of ${shortMoney(sum.gross, unit)} gross` },
  { id: "discount-rate", name: "Discount rate", metrics: ["discount_rate"], kind: "percent", good: 0, of: (sum) => ratio(sum.discounts, sum.gross),
    beside: () => "of gross revenue" },
  { id: "cancellations", name: "Cancelled orders", metrics: ["orders_cancelled", "cancel_rate"], kind: "cancelled", good: -1, of: (sum) => sum.cancelled,
    beside: (sum) => `${percent(ratio(sum.cancelled, sum.placed))} of orders placed` },
];

function drawFigures(selection) {
  const unit = selection.money;
  const now = orderSums(selection, selection);
  const compared = [
    { name: "before", title: `Against ${rangeText(selection.previous)}`, range: selection.previous },
    { name: "last year", title: `Against the same weekdays, ${rangeText(selection.lastYear)}`, range: selection.lastYear },
  ].map((other) => ({ ...other, sum: other.range.from >= selection.begin ? orderSums(other.range, selection) : null }));
  const trend = trends(selection);
  const cards = FIGURES.map((figure) => {
    const isKnown = unit.gives_money || figure.kind === "number";
    const read = (value) => (figure.kind === "money" ? shortMoney(value, unit) : figure.kind === "percent" ? percent(value) : count(value));
    const value = isKnown ? figure.of(now) : null;
    const exact = isKnown && figure.kind === "money" && value !== null ? money(value, unit) : null;
    const parts = isKnown
      ? [h("p", { class: "beside" }, figure.beside ? figure.beside(now, unit) : exact && exact !== read(value) ? exact : "\u00a0"),
         h("dl", { class: "deltas" }, compared.map((other) => delta(figure, value, other)))]
      : [h("p", { class: "beside" }, "The source knows no amounts")];
    return h("article", { class: "card", id: `figure-${figure.id}` },
      h("div", { class: "panel-head" }, h("h2", {}, figure.name), explanation(figure.name, figure.metrics, compared.map((other) => other.title + (other.sum ? "." : ": no data of all of it.")))),
      h("p", { class: "value", "data-value": value ?? "", title: exact }, value === null ? DASH : read(value)),
      ...parts,
      isKnown ? sparkline(trend.map((sum) => (sum ? figure.of(sum) : null))) : null);
  });
  const table = {
    columns: [{ name: "Figure" }, { name: "Unit" }, { name: rangeText(selection) }, ...compared.map((other) => ({ name: rangeText(other.range) }))],
    rows: FIGURES.map((figure) => {
      const write = (sum) => {
        if (!sum || (!unit.gives_money && figure.kind !== "number")) return "";
        return figure.kind === "money" ? majorUnits(figure.of(sum), unit) : figure.kind === "percent" ? KINDS.percent.write(figure.of(sum)) : String(figure.of(sum));
      };
      return [figure.name, figure.kind === "money" ? unit.currency : figure.kind === "percent" ? "ratio" : "orders", write(now), ...compared.map((other) => write(other.sum))];
    }),
  };
  const file = `orders-figures-${isoOf(selection.from)}-${isoOf(selection.to)}.csv`;
  const line = h("div", { class: "summary" },
    h("p", {}, h("strong", {}, rangeText(selection)), selection.currency ? ` · ${unit.gives_money ? unit.currency : "no money"}` : "", choice.status.length ? ` · ${choice.status.join(", ")}` : ""),
    otherCurrencies(selection),
    h("button", { type: "button", class: "small", "data-csv": "figures", "aria-label": "Download the key figures as CSV", onclick: () => download(file, csv(table, unit)) }, "CSV"));
  at("figures").replaceChildren(line, h("div", { class: "cards" }, cards));
}

/** Sums of each step that is whole, since the first order. */
function trends(selection) {
  const all = steps(selection);
  return all.map((step) => (step.isWhole && step.end >= selection.begin ? orderSums({ from: step.start, to: step.end }, selection) : null));
}

function delta(figure, value, { name, title, sum }) {
  const before = sum && figure.of(sum);
  if (before === null || value === null || (figure.kind !== "percent" && !before)) {
    return h("div", { title }, h("dd", { class: "even" }, sum ? DASH : "no data"), h("dt", {}, name));
  }
  const step = figure.kind === "percent" ? value - before : (value - before) / Math.abs(before);
  const size = figure.kind === "percent" ? `${numberFormat({ minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(Math.abs(step * 100))} pp` : percent(Math.abs(step));
  const isEven = /^0[.,]0/.test(size);
  const mood = isEven || !figure.good ? "even" : step * figure.good > 0 ? "better" : "worse";
  const way = isEven ? "±" : step > 0 ? "▲ +" : "▼ −";
  return h("div", { title }, h("dd", { class: mood }, way + size), h("dt", {}, name));
}

/** What the period brought in currencies that are not shown; never added up. */
function otherCurrencies(selection) {
  const others = selection.traded.filter((currency) => currency !== selection.currency);
  if (!others.length) return null;
  return h("p", { class: "others" }, "Not in it: ", others.map((currency) => {
    const unit = currencies.find((known) => known.currency === currency);
    const sum = orderSums(selection, { ...selection, currency });
    const text = unit.gives_money ? `${shortMoney(sum.net, unit)} ${currency}` : "no money";
    return h("button", { type: "button", class: "link", onclick: () => change({ currency }) }, `${text}, ${count(sum.placed)} orders`);
  }));
}

// --- head and foot ------------------------------------------------------------------------------

function ageText(iso) {
  const hours = (Date.now() - Date.parse(iso)) / 3600000;
  return hours < 1 ? "less than an hour ago" : hours < 48 ? `${Math.floor(hours)} h ago` : `${Math.floor(hours / 24)} days ago`;
}

function drawState() {
  const through = cube.data_through;
  const isStale = !through || (Date.now() - Date.parse(through)) / 1000 > STALE_SECONDS;
  at("freshness").replaceChildren(
    h("span", { class: "badge " + (isStale ? "stale" : "fresh") }, isStale ? "Old data" : "Fresh"),
    through ? ` All accounts are complete through ${minutes(through)}` : " No account, or not every one, is proven complete", ` · published ${ageText(cube.published_at)}`);
  const warnings = [];
  if (through && isStale) warnings.push(`The newest complete data is of ${minutes(through)}: look at the last load.`);
  for (const account of accounts) {
    if (!account.covered_to) warnings.push(`${account.account}: nothing is proven complete yet.`);
    if (account.gaps) warnings.push(`${account.account}: ${count(account.gaps)} windows of time are not proven complete, the first from ${minutes(account.first_gap_from)}.`);
    if (account.quarantined) warnings.push(`${account.account}: ${count(account.quarantined)} entries could not be read and are in quarantine.`);
    if (account.last_comparison === "different") warnings.push(`${account.account}: the last comparison with the source found differences that are not repaired.`);
  }
  at("warnings").replaceChildren(...warnings.map((text) => h("p", { class: "notice" }, text)));
  at("about").replaceChildren(
    h("p", {}, `Made ${minutes(cube.made_at)} from the copy published ${minutes(cube.published_at)}. Days are business days in each account's time zone. Aggregates only: no order and no customer is in this file.`,
      cube.orders_before ? ` ${count(cube.orders_before)} orders before ${dayText(FIRST)} are in the published copy, not here.` : ""),
    h("p", {}, `Charts: Apache ECharts ${echarts.version}, Apache License 2.0.`));
}

// --- drawing it all -----------------------------------------------------------------------------

let drawing = 0;

function show() {
  document.documentElement.dataset.theme = choice.theme;
  at("theme").textContent = `Theme: ${choice.theme}`;
  const focused = document.activeElement?.dataset?.key;
  const selection = select();
  drawFilters(selection);
  if (cube.first_day) drawFigures(selection);
  else at("figures").replaceChildren(h("p", { class: "empty" }, "No orders yet. After the first load with orders this page shows their figures: run `orders-connector sync`."));
  drawPanels(selection);
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Draw the first screen at once, the rest when the browser has a moment. */
function drawPanels(selection) {
  const mine = ++drawing;
  const todo = [];
  for (const [index, section] of SECTIONS.entries()) {
    const place = at("section-" + index);
    const isShown = (cube.first_day || index === SECTIONS.length - 1) && (!section.shown || section.shown(selection));
    place.hidden = !isShown;
    if (!isShown) continue;
    for (const panel of section.panels) todo.push(() => drawPanel(at(panel.id), panel, panel.draw(selection), selection));
  }
  const next = () => {
    if (mine !== drawing) return; // another choice was made meanwhile
    const draw = todo.shift();
    if (draw) {
      draw();
      todo.length > 12 ? next() : setTimeout(next);
    } else {
      document.documentElement.dataset.drawn = location.hash || "#";
      refocus();
    }
  };
  delete document.documentElement.dataset.drawn;
  const key = document.activeElement?.dataset?.key;
  const refocus = () => key && document.activeElement === document.body && document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  next();
}

function build() {
  at("panels").append(...SECTIONS.map((section, index) =>
    h("section", { id: "section-" + index, "aria-label": section.title }, h("h2", { class: "section" }, section.title),
      h("div", { class: "grid" }, section.panels.map((panel) =>
        h("section", { class: "panel" + (panel.wide ? " wide" : panel.half ? " half" : panel.full ? " full" : ""), id: panel.id }))))));
}

const nextTheme = () => THEMES[(THEMES.indexOf(choice.theme) + 1) % THEMES.length];
at("theme").addEventListener("click", () => change({ theme: nextTheme() }));
at("print").addEventListener("click", () => print());
at("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => {
  choice = readAddress();
  show();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return; // a phone's bars come and go
  width = innerWidth;
  for (const chart of charts.values()) chart.resize();
});

// Paper is white, and all of the page is on it.
let onScreen = null;
addEventListener("beforeprint", () => {
  onScreen = choice.theme;
  document.documentElement.dataset.theme = "light";
  const selection = select();
  for (const section of SECTIONS) {
    for (const panel of section.panels) {
      if (charts.has(panel.id)) drawPanel(at(panel.id), panel, panel.draw(selection), selection);
    }
  }
});
addEventListener("afterprint", () => {
  choice.theme = onScreen;
  show();
});

/** Served by `orders-connector dashboard --serve`: show the next copy when it is published. */
const version = document.documentElement.dataset.version;
if (version) {
  setInterval(async () => {
    try {
      const answer = await fetch("/version");
      if (answer.ok && (await answer.text()) !== version) location.reload();
    } catch {
      // The server is gone or busy; the page stays as it is.
    }
  }, 5000);
}

build();
drawState();
show();
