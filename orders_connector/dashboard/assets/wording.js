// How values are written, for people and for files.

const SOURCES = { voucherify: "Voucherify", ultracart: "UltraCart", licensespring: "LicenseSpring" };
const DASH = "–";

const sourceName = (source) => SOURCES[source] || source;
/** Accounts of a source that has only one go by the source's name. */
function accountName(account) {
  const alone = accounts.filter((other) => other.source === account.source).length === 1;
  return alone ? sourceName(account.source) : account.account;
}

const numberFormats = new Map();
function numberFormat(options) {
  const key = JSON.stringify(options);
  if (!numberFormats.has(key)) numberFormats.set(key, new Intl.NumberFormat("en", options));
  return numberFormats.get(key);
}

const count = (value) => (value === null || value === undefined ? DASH : numberFormat({ maximumFractionDigits: 1 }).format(value));
const percent = (value) => (value === null || !isFinite(value) ? DASH : numberFormat({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value));

function ratio(part, whole) {
  return part === null || !whole ? null : part / whole;
}

/** Amounts in minor units, written in major ones; in minor ones where the exponent is not known. */
function money(minor, { currency, exponent }, options = {}) {
  if (minor === null || minor === undefined) return DASH;
  if (exponent === null) return `${count(minor)} ${currency} minor units`;
  const digits = options.short ? { notation: "compact", maximumSignificantDigits: 4 } : { minimumFractionDigits: exponent, maximumFractionDigits: exponent };
  return numberFormat({ style: "currency", currency, ...digits }).format(minor / 10 ** exponent);
}
const shortMoney = (minor, of) =>
  money(minor, of, { short: of.exponent === null || Math.abs(minor) >= 100000 * 10 ** of.exponent });

/** Exact, with a point, for files. */
function majorUnits(minor, { exponent }) {
  if (minor === null || minor === undefined) return "";
  if (!exponent) return String(minor);
  const digits = String(Math.abs(minor)).padStart(exponent + 1, "0");
  return (minor < 0 ? "-" : "") + digits.slice(0, -exponent) + "." + digits.slice(-exponent);
}

function duration(seconds) {
  if (seconds === null) return DASH;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${count(Math.round(seconds / 360) / 10)} h`;
  return `${count(Math.round(seconds / 8640) / 10)} d`;
}

const dayFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
const monthFormat = new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" });
const dayText = (day) => dayFormat.format(day * MILLISECONDS);
const rangeText = ({ from, to }) => (from === to ? dayText(from) : `${dayText(from)} to ${dayText(to)}`);
const stepText = (step, grain) => (grain === "month" ? monthFormat : shortDay).format(step.start * MILLISECONDS);
const stepName = (step, grain) =>
  grain === "month" ? monthFormat.format(step.start * MILLISECONDS) : grain === "week" ? `Week of ${dayText(step.start)}` : dayText(step.start);
const moment = (iso) => (iso ? iso.slice(0, 16).replace("T", " ") : DASH);
const minutes = (iso) => (iso ? moment(iso) + " UTC" : DASH);
const plain = (name) => name.replace(/_minor$/, "").replaceAll("_", " ");
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Kinds of columns in tables: how people read a value and how a file holds it. */
const KINDS = {
  text: { read: (value) => value ?? DASH, write: (value) => value ?? "" },
  number: { read: count, write: (value) => value ?? "" },
  money: { read: money, write: majorUnits },
  percent: { read: percent, write: (value) => (value === null ? "" : value.toFixed(6)) },
  duration: { read: duration, write: (value) => (value === null ? "" : Math.round(value)) },
};

/** One cell of a CSV file; text that a spreadsheet would take for a formula is marked as text. */
function csvCell(value) {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text) && isNaN(Number(text))) text = "'" + text;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv({ columns, rows }, unit) {
  const lines = [columns.map(({ name, kind }) => csvCell(kind === "duration" ? `${name} (seconds)` : name))];
  for (const row of rows) {
    lines.push(row.map((value, at) => csvCell(KINDS[columns[at].kind || "text"].write(value, unit))));
  }
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}
