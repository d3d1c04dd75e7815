// What is selected: read from the address, so that a link shows the same figures.

const STATUSES = ["created", "pending", "quote", "paid", "fulfilled", "cancelled", "other", "unknown"];
const GRAINS = ["day", "week", "month"];
const PRESETS = { "7d": "7 days", "30d": "30 days", "90d": "90 days", month: "This month", year: "This year", "12m": "12 months", all: "All" };
const SPLITS = { source: "by source", status: "by status" };
const COHORTS = { retention: "Customers who bought", value: "Net revenue per customer" };
const THEMES = ["system", "light", "dark"];

const knownSources = [...new Set(accounts.map((account) => account.source))];
const knownStatuses = STATUSES.filter((status) => (tables.orders?.values.status || []).includes(status));

/** The choices as they stand in the address: lists are empty for all. */
let choice = readAddress();

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const one = (name, known, otherwise) => (known.includes(given.get(name)) ? given.get(name) : otherwise);
  const list = (name, known) => (given.get(name) || "").split(",").filter((value) => known.includes(value));
  const date = (name) => (/^\d{4}-\d\d-\d\d$/.test(given.get(name) || "") && !isNaN(Date.parse(given.get(name))) ? given.get(name) : null);
  const from = date("from"), to = date("to");
  return {
    period: from && to && from <= to ? null : one("period", Object.keys(PRESETS), "90d"),
    from: from && to && from <= to ? from : null,
    to: from && to && from <= to ? to : null,
    source: list("source", knownSources),
    account: list("account", accounts.map((account) => account.key)),
    currency: one("currency", currencies.map((known) => known.currency), null),
    status: list("status", knownStatuses),
    grain: one("grain", GRAINS, null),
    split: one("split", Object.keys(SPLITS), "source"),
    cohort: one("cohort", Object.keys(COHORTS), "retention"),
    theme: one("theme", THEMES, "system"),
  };
}

function writeAddress() {
  const said = [];
  const usual = { period: "90d", split: "source", cohort: "retention", theme: "system" };
  for (const [name, value] of Object.entries(choice)) {
    if (value === null || value.length === 0 || usual[name] === value) continue;
    const text = [value].flat().map((part) => encodeURIComponent(part).replaceAll("%2F", "/")).join(",");
    said.push(`${name}=${text}`);
  }
  history.replaceState(null, "", "#" + said.join("&"));
}

/** What follows from the choices: days, accounts, one currency, statuses, the size of steps. */
function select() {
  const chosen = accounts.filter(
    (account) =>
      (!choice.source.length || choice.source.includes(account.source)) &&
      (!choice.account.length || choice.account.includes(account.key)),
  );
  const picked = new Set(chosen.map((account) => account.index));
  const traded = currenciesOf(picked);
  const currency = traded.includes(choice.currency) ? choice.currency : traded[0] ?? currencies[0]?.currency ?? null;
  const dealing = chosen.filter((account) => dealsIn(account, currency));
  const whole = Math.min(LAST, ...(dealing.length ? dealing : chosen).map((account) => account.whole));
  const selection = {
    accounts: picked,
    chosen,
    traded,
    currency,
    money: currencies.find((known) => known.currency === currency) || { currency: null, exponent: null, gives_money: false },
    statuses: new Set(choice.status.length ? choice.status : STATUSES),
    whole,
    ...period(Math.max(FIRST, whole)),
  };
  const days = selection.to - selection.from + 1;
  selection.grain = choice.grain || (days <= 45 ? "day" : days <= 400 ? "week" : "month");
  selection.previous = { from: selection.from - days, to: selection.from - 1 };
  selection.lastYear = { from: selection.from - 364, to: selection.to - 364 };
  selection.begin = firstDay(selection);
  return selection;
}

function period(whole) {
  if (choice.period === null) return { from: dayOf(choice.from), to: dayOf(choice.to) };
  const iso = isoOf(whole);
  const starts = {
    "7d": whole - 6,
    "30d": whole - 29,
    "90d": whole - 89,
    "12m": whole - 364,
    month: dayOf(iso.slice(0, 8) + "01"),
    year: dayOf(iso.slice(0, 5) + "01-01"),
    all: FIRST,
  };
  return { from: starts[choice.period], to: choice.period === "all" ? Math.max(whole, LAST) : whole };
}

/** Which pairs of account and currency have orders. */
const dealings = (() => {
  const found = new Set();
  const { columns, values, length, accounts: of } = tables.orders || EMPTY;
  for (let row = 0; row < length; row++) {
    found.add(of[columns.account[row]] + " " + values.currency[columns.currency[row]]);
  }
  return found;
})();

const dealsIn = (account, currency) => dealings.has(account.index + " " + currency);

function currenciesOf(picked) {
  return currencies
    .map((known) => known.currency)
    .filter((currency) => [...picked].some((index) => dealings.has(index + " " + currency)));
}

/** First day with an order of the chosen accounts in the currency. */
function firstDay(selection) {
  let first = Infinity;
  scan("orders", { from: FIRST, to: LAST }, selection, (row, columns) => {
    first = Math.min(first, columns.day[row]);
  });
  return first;
}

/** Days, weeks from Monday or months that the period touches; one is whole when all its days are
 *  in the period and complete. */
function steps({ from, to, grain, whole }) {
  const found = [];
  for (let start = startOf(from, grain); start <= to; start = nextOf(start, grain)) {
    const end = nextOf(start, grain) - 1;
    found.push({ start, end, isWhole: start >= from && end <= to && end <= whole });
  }
  return found;
}

function startOf(day, grain) {
  if (grain === "day") return day;
  if (grain === "week") return day - ((((day + 3) % 7) + 7) % 7); // day 0 was a Thursday
  return dayOf(isoOf(day).slice(0, 8) + "01");
}

function nextOf(start, grain) {
  if (grain === "day") return start + 1;
  if (grain === "week") return start + 7;
  const date = new Date(start * MILLISECONDS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / MILLISECONDS;
}

/** Sums by step and series: `into(row, columns, values)` names the series and the amount. Empty
 *  steps before the first order are left out. */
function bySteps(name, selection, range, into) {
  const all = steps({ ...selection, ...range });
  const place = new Map(all.map((step, index) => [step.start, index]));
  const series = new Map();
  scan(name, range, selection, (row, columns, values) => {
    const at = place.get(startOf(columns.day[row], selection.grain));
    for (const [key, amount] of into(row, columns, values)) {
      if (amount === null) continue;
      if (!series.has(key)) series.set(key, new Array(all.length).fill(0));
      series.get(key)[at] += amount;
    }
  });
  const isEmpty = (at) => all[at].end < selection.begin && [...series.values()].every((amounts) => !amounts[at]);
  const known = all.findIndex((_, at) => !isEmpty(at));
  if (known <= 0) return { steps: all, series };
  return { steps: all.slice(known), series: new Map([...series].map(([key, amounts]) => [key, amounts.slice(known)])) };
}
