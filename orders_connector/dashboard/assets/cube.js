// The data of the page: columns of whole numbers, days counted from the first one.

const cube = JSON.parse(document.getElementById("cube").textContent);
const MILLISECONDS = 86400000;

const dayOf = (iso) => Math.round(Date.parse(iso.slice(0, 10) + "T00:00:00Z") / MILLISECONDS);
const isoOf = (day) => new Date(day * MILLISECONDS).toISOString().slice(0, 10);

const FIRST = cube.first_day ? dayOf(cube.first_day) : dayOf(cube.published_at);
const LAST = cube.last_day ? dayOf(cube.last_day) : FIRST;

const accounts = cube.accounts.map((account, index) => ({
  ...account,
  index,
  // Figures of the day in which the covered time ends are not whole.
  whole: account.covered_date ? dayOf(account.covered_date) - 1 : LAST - 1,
}));
const accountOf = new Map(accounts.map((account) => [account.key, account]));
const currencies = cube.currencies;

const tables = {};
for (const [name, { rows, values }] of Object.entries(cube.tables)) {
  let day = FIRST;
  const columns = { ...rows, day: rows.day.map((step) => (day += step)) };
  tables[name] = { columns, values, length: columns.day.length };
  if (values.account) {
    tables[name].accounts = values.account.map((key) => accountOf.get(key)?.index ?? -1);
  }
}
const EMPTY = { columns: { day: [] }, values: {}, length: 0, accounts: [] };

/** Records of a table that was written as columns and rows. */
function records({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
}

/** Call `take(row, columns, values)` for each row that the selection lets through.
 *  `range` is {from, to}, days, both inclusive. Money tables keep to one currency. */
function scan(name, range, selection, take) {
  const { columns, values, length, accounts: of } = tables[name] || EMPTY;
  const currency = values.currency ? values.currency.indexOf(selection.currency) : -1;
  const wanted = of.map((index) => selection.accounts.has(index));
  for (let row = 0; row < length; row++) {
    const day = columns.day[row];
    if (day < range.from) continue;
    if (day > range.to) break; // sorted by day
    if (!wanted[columns.account[row]]) continue;
    if (values.currency && columns.currency[row] !== currency) continue;
    take(row, columns, values);
  }
}

/** Sums of measures over a range; null for one that no row knows. */
function sums(name, range, selection, measures) {
  const total = Object.fromEntries(measures.map((measure) => [measure, null]));
  scan(name, range, selection, (row, columns) => {
    for (const measure of measures) add(total, measure, columns[measure][row]);
  });
  return total;
}

function add(total, name, value) {
  if (value !== null && value !== undefined) total[name] = (total[name] ?? 0) + value;
}

/** What the key figures are made of; statuses that are not chosen are left out. */
function orderSums(range, selection) {
  const total = { placed: 0, recognised: 0, cancelled: 0, gross: 0, discounts: 0, net: 0, unpriced: 0 };
  scan("orders", range, selection, (row, columns, values) => {
    const status = values.status[columns.status[row]];
    if (!selection.statuses.has(status)) return;
    for (const name of ["placed", "recognised", "gross", "discounts", "net", "unpriced"]) {
      total[name] += columns[name][row];
    }
    if (status === "cancelled") total.cancelled += columns.placed[row];
  });
  return total;
}
