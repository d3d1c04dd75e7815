// What the page shows. Each panel takes the selection and returns what drawPanel draws.

const ROWS_SHOWN = 12;
const NO_SPLIT = "Not told by status: the choice of statuses does not act here.";
const statusNote = (selection) => (selection.statuses.size < STATUSES.length && choice.status.length ? NO_SPLIT : null);
const paleNote = (found) => (found.steps.some((step) => !step.isWhole) ? "Pale: not a whole step yet, or cut by the period." : null);

function noMoney(selection) {
  const silent = selection.chosen.filter((account) => !account.gives_money && dealsIn(account, selection.currency));
  const names = [...new Set(silent.map((account) => sourceName(account.source)))].join(", ");
  return `${names || "The source"} knows no amounts, so there is no revenue to show. Its orders, licenses and trials are below.`;
}

const nothing = (selection) => `No orders from ${rangeText(selection)} in this selection.`;

const SECTIONS = [
  {
    title: "Over time",
    panels: [
      { id: "revenue", title: "Net revenue", wide: true, metrics: ["net_revenue"], draw: revenuePanel,
        about: ["The line: the same weekdays 364 days before, where there is data of them."] },
      { id: "orders-by-status", title: "Orders by status", metrics: ["orders_in_status"], draw: statusPanel,
        about: ["Orders of the period by the status they have now."] },
    ],
  },
  {
    title: "Discounts",
    shown: (selection) => selection.money.gives_money,
    panels: [
      { id: "discounts", title: "Discounts by level", wide: true, metrics: ["order_level_discount", "item_level_discount"], draw: discountPanel },
      { id: "discount-depth", title: "Depth of discounts", metrics: ["orders_discounted"], draw: depthPanel,
        about: ["Discount of an order over its amount before discounts."] },
    ],
  },
  {
    title: "Products and promotions",
    panels: [
      { id: "products", title: "Top products", half: true, metrics: [], draw: productPanel,
        about: ["Net revenue of recognised lines after discounts on the line and its share of discounts on the order. An order with three products counts in three rows."] },
      { id: "promotions", title: "Promotions", half: true, metrics: [], draw: promotionPanel,
        about: ["Discounts that are attributed to each promotion, by equal split where an order has several. Redemptions that were rolled back are not counted."] },
    ],
  },
  {
    title: "Customers",
    panels: [
      { id: "customers", title: "New and returning customers", half: true, metrics: ["new_customer_net", "returning_customer_net", "guest_net"], draw: customerPanel },
      { id: "cohorts", title: "Cohorts", half: true, metrics: [], draw: cohortPanel,
        about: ["Customers by the month of their first order, followed month by month. The last 18 cohorts up to the end of the period; a month that is not over is pale."] },
    ],
  },
  {
    title: "Course of orders",
    panels: [
      { id: "funnel", title: "Status funnel", half: true, metrics: [], draw: funnelPanel,
        about: ["How far the orders of the period ever came, whatever their status is now. Each order counts in every step it reached; one that came fulfilled at once was never seen paid, so being paid is no step of its own."] },
      { id: "durations", title: "Time in status", half: true, metrics: [], draw: durationPanel,
        about: ["Average time in a status before the next, of orders of the period. Where a source does not give times, the truth lies between the two bounds. Orders that are still in the status are not in it."] },
    ],
  },
  {
    title: "Licenses",
    shown: (selection) => licensing(selection).length > 0,
    panels: [
      { id: "licenses", title: "Orders and trials", wide: true, metrics: [], draw: licensePanel,
        about: ["Orders in earnest and trials, test orders excluded. The source knows no amounts, so it has no revenue."] },
      { id: "license-states", title: "Licenses on these orders", metrics: [], draw: licenseStatePanel, about: ["State of the licenses as it is now."] },
    ],
  },
  {
    title: "State of the data",
    panels: [
      { id: "restatements", title: "Restated by the last load", full: true, metrics: [], draw: restatementPanel,
        about: ["Figures of past days that the load shown here changed: what stood in the report before it, and what stands in it now."] },
      { id: "data", title: "Freshness, coverage, quarantine, calls", full: true, metrics: [], draw: dataPanel,
        about: ["What is proven complete for each account, when it was read, and what could not be read. Calls: requests of this billing cycle, as of the making of this page."] },
    ],
  },
];

// --- over time ----------------------------------------------------------------------------------

function revenuePanel(selection) {
  const unit = selection.money;
  const bySource = choice.split === "source";
  const measure = unit.gives_money ? "net" : "recognised";
  const into = (row, columns, values) => {
    const status = values.status[columns.status[row]];
    if (!selection.statuses.has(status)) return [];
    const account = tables.orders.accounts[columns.account[row]];
    return [[bySource ? account : status, columns[measure][row]]];
  };
  const found = bySteps("orders", selection, selection, into);
  const names = bySource ? accounts.map((account) => account.index) : STATUSES.filter((status) => (found.series.get(status) || []).some((value) => value));
  const controls = segmented("split", SPLITS, "Split of the bars");
  if (!found.series.size) return { empty: nothing(selection), controls };
  const label = bySource ? (index) => accountName(accounts[index]) : (status) => status;
  const color = bySource ? seriesColor : statusColor;
  const read = unit.gives_money ? (value) => shortMoney(value, unit) : count;
  const written = unit.gives_money ? ` (${unit.currency})` : "";
  const kind = unit.gives_money ? "money" : "number";
  const yearAgo = lastYearLine(selection, found.steps, into);
  const line = yearAgo && { name: "same period last year", color: token("text"), data: yearAgo };
  const total = [...found.series.values()].flat().reduce((sum, value) => sum + value, 0);
  const table = tableOfSteps(found, names, selection, { label, kind, unitName: written });
  if (yearAgo) {
    table.columns.push({ name: `364 days before${written}`, kind });
    table.rows.forEach((row, at) => row.push(yearAgo[at]));
  }
  return {
    title: unit.gives_money ? `Net revenue, ${unit.currency}` : "Orders recognised as revenue", controls, table, height: 290,
    notes: [unit.gives_money ? null : noMoney(selection), paleNote(found)],
    chart: stackedBars(found, names, selection, { color, label, read, axis: unit.gives_money ? (value) => axisMoney(value, unit) : count, line }),
    caption: `${unit.gives_money ? money(total, unit) : count(total)} from ${rangeText(selection)} by ${selection.grain}.`,
  };
}

/** Net revenue 364 days before each step; null where there is no data of it, or no whole step. */
function lastYearLine(selection, all, into) {
  if (selection.grain === "month" || selection.lastYear.to < selection.begin) return null;
  const place = new Map(all.map((step, at) => [step.start, at]));
  const line = all.map((step) => (step.isWhole && step.start - 364 >= selection.begin ? 0 : null));
  scan("orders", selection.lastYear, selection, (row, columns, values) => {
    const at = place.get(startOf(columns.day[row] + 364, selection.grain));
    if (at === undefined || line[at] === null) return;
    for (const [, amount] of into(row, columns, values)) line[at] += amount;
  });
  return line.some((value) => value !== null) ? line : null;
}

function axisMoney(value, unit) {
  if (unit.exponent === null) return count(value);
  return numberFormat({ style: "currency", currency: unit.currency, notation: "compact", maximumFractionDigits: 1 }).format(value / 10 ** unit.exponent);
}

function statusPanel(selection) {
  const found = bySteps("orders", selection, selection, (row, columns, values) => {
    const status = values.status[columns.status[row]];
    return selection.statuses.has(status) ? [[status, columns.placed[row]]] : [];
  });
  if (!found.series.size) return { empty: nothing(selection) };
  const totals = STATUSES.filter((status) => found.series.has(status)).map((status) => `${status} ${count(found.series.get(status).reduce((sum, value) => sum + value, 0))}`);
  return {
    table: tableOfSteps(found, STATUSES, selection, { kind: "number" }), notes: [paleNote(found)], height: 290,
    chart: stackedBars(found, STATUSES, selection, { color: statusColor, read: count }),
    caption: totals.join(", ") + ".",
  };
}

// --- discounts ----------------------------------------------------------------------------------

function discountPanel(selection) {
  const unit = selection.money;
  if (!unit.gives_money) return { empty: noMoney(selection) };
  const names = ["order level", "item level"];
  const found = bySteps("discounts", selection, selection, (row, columns) => [
    ["order level", columns.order_level_discount[row]],
    ["item level", columns.item_level_discount[row]],
  ]);
  const gross = bySteps("discounts", selection, selection, (row, columns) => [["gross", columns.gross_revenue[row]]]).series.get("gross");
  if (!found.series.size) return { empty: nothing(selection) };
  const at = (name, index) => found.series.get(name)?.[index] ?? 0;
  const rates = found.steps.map((_, index) => ratio(at(names[0], index) + at(names[1], index), gross?.[index] ?? null));
  const total = sums("discounts", selection, selection, ["gross_revenue", "order_level_discount", "item_level_discount", "orders_without_amount", "full_discount_orders"]);
  const given = (total.order_level_discount || 0) + (total.item_level_discount || 0);
  const table = tableOfSteps(found, names, selection, { kind: "money", unitName: ` (${unit.currency})` });
  table.columns.push({ name: "discount rate", kind: "percent" });
  table.rows.forEach((row, index) => row.push(rates[index]));
  const colors = { "order level": seriesColor(0), "item level": seriesColor(1) };
  const chart = stackedBars(found, names, selection, { color: (name) => colors[name], read: (value) => shortMoney(value, unit), axis: (value) => axisMoney(value, unit) });
  const readTip = chart.tooltip.formatter;
  chart.tooltip.formatter = (items) => {
    const box = readTip(items);
    box.append(h("div", { class: "chart-tip-foot" }, `Discount rate ${percent(rates[items[0].dataIndex])}`));
    return box;
  };
  return {
    title: `Discounts by level, ${unit.currency}`, table, chart,
    notes: [
      `${shortMoney(given, unit)}, ${percent(ratio(given, total.gross_revenue))} of gross revenue; ${percent(ratio(total.order_level_discount, given))} of it on the order, the rest on items.`,
      total.full_discount_orders ? `${count(total.full_discount_orders)} orders had nothing left to pay.` : null,
      total.orders_without_amount ? `${count(total.orders_without_amount)} orders do not say their discount.` : null,
      statusNote(selection), paleNote(found),
    ],
    caption: `${money(given, unit)} from ${rangeText(selection)}.`,
  };
}

const DEPTHS = { depth_0_orders: "none", depth_0_5_orders: "up to 5 %", depth_5_10_orders: "5 to 10 %", depth_10_20_orders: "10 to 20 %", depth_20_50_orders: "20 to 50 %", depth_over_50_orders: "over 50 %" };

function depthPanel(selection) {
  if (!selection.money.gives_money) return { empty: noMoney(selection) };
  const total = sums("discounts", selection, selection, [...Object.keys(DEPTHS), "orders_recognised"]);
  if (!total.orders_recognised) return { empty: nothing(selection) };
  const rows = Object.entries(DEPTHS).map(([measure, name], at) => ({
    name, value: total[measure] || 0, color: at === 0 ? token("status-other") : seriesColor(0),
    text: `${count(total[measure] || 0)} · ${percent(ratio(total[measure] || 0, total.orders_recognised))}`,
  }));
  return {
    table: { columns: [{ name: "Discount" }, { name: "Recognised orders", kind: "number" }, { name: "Share", kind: "percent" }], rows: rows.map((row) => [row.name, row.value, ratio(row.value, total.orders_recognised)]) },
    notes: [statusNote(selection)],
    chart: lyingBars(rows, { read: count }),
    caption: rows.map((row) => `${row.name}: ${row.value}`).join(", ") + ".",
  };
}

// --- products and promotions --------------------------------------------------------------------

/** Sums by key of a table with names; `place(row, columns, values)` gives the key. */
function byName(name, selection, place, measures) {
  const found = new Map();
  scan(name, selection, selection, (row, columns, values) => {
    const key = place(row, columns, values);
    if (!found.has(key)) found.set(key, Object.fromEntries(measures.map((measure) => [measure, null])));
    for (const measure of measures) add(found.get(key), measure, columns[measure][row]);
  });
  return found;
}

/** Kind and key, which were written as `kind:key`. */
const parted = (text) => [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];

const productName = (product) => (Object.hasOwn(cube.product_names, product) ? cube.product_names[product] : product);

function productPanel(selection) {
  const unit = selection.money;
  const found = byName("products", selection,
    (row, columns, values) => values.product[columns.product[row]], ["orders", "units", "discounts", "net"]);
  if (!found.size) return { empty: nothing(selection) };
  const worth = unit.gives_money ? "net" : "units";
  const named = { other_line: "Shipping and other lines", not_on_lines: "Not on known lines", further: "Further products, together" };
  const all = [...found].map(([key, total]) => {
    const [kind, product] = parted(key);
    const gross = total.net === null ? null : total.net + total.discounts;
    return { kind, name: named[kind] || productName(product), product, gross, ...total };
  });
  const products = all.filter((row) => row.kind === "product").sort((a, b) => (b[worth] || 0) - (a[worth] || 0) || (a.name < b.name ? -1 : 1));
  const rest = all.filter((row) => row.kind !== "product" && (row.net || row.units || row.gross));
  const columns = [{ name: "Product" }, { name: "Orders", kind: "number" }, { name: "Units", kind: "number" }];
  if (unit.gives_money) columns.push({ name: "Gross", kind: "money" }, { name: "Discounts", kind: "money" }, { name: `Net, ${unit.currency}`, kind: "money" });
  const cells = (row) => [row.name, row.kind === "product" ? row.orders : null, row.units, ...(unit.gives_money ? [row.gross, row.discounts, row.net] : [])];
  const table = { columns: [...columns, { name: "Key" }], rows: [...products, ...rest].map((row) => [...cells(row), row.product]) };
  const shown = { columns, rows: [...products.slice(0, ROWS_SHOWN), ...rest].map(cells) };
  return {
    table,
    notes: [statusNote(selection), products.length > ROWS_SHOWN ? `The first ${ROWS_SHOWN} of ${count(products.length)}; the CSV has all.` : null],
    body: tableOf(shown, unit, { caption: "Top products", bar: unit.gives_money ? 5 : 2, barred: (row) => row[1] !== null }),
  };
}

function promotionPanel(selection) {
  const unit = selection.money;
  const found = byName("promotions", selection,
    (row, columns, values) => values.promotion[columns.promotion[row]],
    ["redemptions", "rollbacks", "orders", "new_customers", "discounts"]);
  const all = [...found].map(([key, total]) => {
    const [kind, promotion] = parted(key);
    return { kind, promotion, ...total };
  }).filter((row) => row.redemptions || row.discounts || row.orders);
  if (!all.length) return { empty: "No promotion was used, or the source tells of none." };
  const last = (row) => (row.kind === "further" || row.kind === "(unattributed)" ? 1 : 0);
  all.sort((a, b) => last(a) - last(b) || (b.discounts || 0) - (a.discounts || 0) || b.redemptions - a.redemptions || (a.promotion < b.promotion ? -1 : 1));
  const named = { further: "Further promotions, together", "(unattributed)": "Discounts without a promotion" };
  const columns = [{ name: "Promotion" }, { name: "Kind" }, { name: "Redeemed", kind: "number" }, { name: "Orders", kind: "number" }, { name: "New customers", kind: "number" }];
  if (unit.gives_money) columns.push({ name: `Discounts, ${unit.currency}`, kind: "money" });
  const cells = (row) => [named[row.kind] || row.promotion || "(not told)", last(row) ? "" : plain(row.kind), row.redemptions, row.kind === "further" ? null : row.orders, row.kind === "further" ? null : row.new_customers, ...(unit.gives_money ? [row.discounts] : [])];
  const table = { columns, rows: all.map(cells) };
  const listed = [...all.filter((row) => !last(row)).slice(0, ROWS_SHOWN), ...all.filter(last)];
  const own = all.filter((row) => !last(row)).length;
  const shown = { columns: columns.filter((column) => column.name !== "New customers"), rows: listed.map(cells).map((row) => row.filter((_, place) => columns[place].name !== "New customers")) };
  return {
    table,
    notes: [statusNote(selection), own > ROWS_SHOWN ? `The first ${ROWS_SHOWN} of ${count(own)}; the CSV has all.` : null],
    body: tableOf(shown, unit, { caption: "Promotions", bar: unit.gives_money ? 4 : 2, barred: (row) => row[1] !== "" }),
  };
}

// --- customers ----------------------------------------------------------------------------------

function customerPanel(selection) {
  const unit = selection.money;
  const measure = unit.gives_money ? "net" : "orders";
  const kinds = { "first orders": `new_customer_${measure}`, "later orders": `returning_customer_${measure}`, guests: `guest_${measure}` };
  const names = Object.keys(kinds);
  const found = bySteps("customers", selection, selection, (row, columns) => names.map((name) => [name, columns[kinds[name]][row]]));
  if (!found.series.size) return { empty: nothing(selection) };
  const total = sums("customers", selection, selection, ["new_customers", "new_customer_orders", "returning_customer_orders", "guest_orders"]);
  const orders = (total.new_customer_orders || 0) + (total.returning_customer_orders || 0) + (total.guest_orders || 0);
  const read = unit.gives_money ? (value) => shortMoney(value, unit) : count;
  const colors = { "first orders": seriesColor(2), "later orders": seriesColor(0), guests: token("status-other") };
  return {
    title: unit.gives_money ? `Net revenue of new and returning customers, ${unit.currency}` : "Orders of new and returning customers",
    table: tableOfSteps(found, names, selection, unit.gives_money ? { kind: "money", unitName: ` (${unit.currency})` } : { kind: "number" }),
    notes: [
      `${count(total.new_customers || 0)} new customers; ${percent(ratio(total.returning_customer_orders || 0, orders))} of ${count(orders)} recognised orders are of customers who had bought before.`,
      statusNote(selection), paleNote(found),
    ],
    height: 300,
    chart: stackedBars(found, names, selection, { color: (name) => colors[name], read, axis: unit.gives_money ? (value) => axisMoney(value, unit) : count }),
    caption: `${count(total.new_customers || 0)} new customers from ${rangeText(selection)}.`,
  };
}

const cohortRows = records(cube.cohorts);

function cohortPanel(selection) {
  const unit = selection.money;
  const controls = unit.gives_money ? segmented("cohort", COHORTS, "What the cohorts show") : null;
  const byValue = choice.cohort === "value" && unit.gives_money;
  const cells = new Map();
  for (const row of cohortRows) {
    if (row.currency !== selection.currency || dayOf(row.cohort_month) > selection.to) continue;
    if (!selection.accounts.has(accountOf.get(row.account)?.index)) continue;
    const key = row.cohort_month + " " + row.month_number;
    const cell = cells.get(key) || { month: row.cohort_month, at: row.month_number, customers: 0, active: 0, net: 0, partial: false };
    cell.customers += row.customers;
    cell.active += row.active_customers;
    cell.net += row.cumulative_net || 0;
    cell.partial ||= row.is_partial;
    cells.set(key, cell);
  }
  const months = [...new Set([...cells.values()].map((cell) => cell.month))].sort().slice(-18);
  if (!months.length) return { empty: "No customer is known in this selection.", controls };
  const shown = [...cells.values()].filter((cell) => months.includes(cell.month) && (byValue || cell.at > 0));
  const value = (cell) => (byValue ? ratio(cell.net, cell.customers) : ratio(cell.active, cell.customers));
  const read = (amount) => (byValue ? shortMoney(Math.round(amount), unit) : percent(amount));
  const short = (amount) => (byValue ? numberFormat({ notation: "compact", maximumSignificantDigits: 3 }).format(amount / 10 ** (unit.exponent || 0)) : String(Math.round(amount * 100)));
  const size = (month) => cells.get(month + " 0")?.customers ?? 0;
  const label = (month) => monthFormat.format(dayOf(month) * MILLISECONDS);
  const width = Math.max(...shown.map((cell) => cell.at), 1);
  const columns = Array.from({ length: width + (byValue ? 1 : 0) }, (_, at) => at + (byValue ? 0 : 1));
  const table = {
    columns: [{ name: "First order in" }, { name: "Customers", kind: "number" }, ...columns.map((at) => ({ name: `Month ${at}`, kind: byValue ? "money" : "percent" }))],
    rows: months.map((month) => [month.slice(0, 7), size(month), ...columns.map((at) => {
      const cell = cells.get(month + " " + at);
      return cell ? (byValue ? Math.round(value(cell)) : value(cell)) : null;
    })]),
  };
  if (!shown.length) return { empty: "The first cohort has no month after its own yet.", controls };
  const values = shown.map(value).sort((a, b) => a - b);
  const top = values[Math.floor(values.length * 0.97)] || values.at(-1) || 1;
  const low = byValue ? values[0] : 0;
  const data = shown.map((cell) => ({
    value: [columns.indexOf(cell.at), months.indexOf(cell.month), value(cell)], cell,
    itemStyle: { opacity: cell.partial ? 0.45 : 1 },
    label: { color: value(cell) > low + (top - low) * 0.55 && !cell.partial ? token("heat-high-text") : token("heat-low-text") },
  }));
  const room = columns.length <= 18;
  return {
    controls, table, height: Math.max(120, 40 + months.length * 19),
    title: byValue ? `Cohorts: net revenue per customer so far, ${unit.currency}` : "Cohorts: customers who bought again, %",
    chart: {
      grid: { top: 24, right: 4 },
      xAxis: { type: "category", position: "top", data: columns.map((at) => `+${at}`), splitLine: { show: false }, axisLine: { show: false } },
      yAxis: { type: "category", inverse: true, data: months, splitLine: { show: false }, axisLine: { show: false }, axisLabel: { formatter: (month) => `${label(month)} (${count(size(month))})`, interval: 0, hideOverlap: false, fontSize: 11 } },
      visualMap: { show: false, min: low, max: top > low ? top : low + 1, inRange: { color: [token("heat-low"), token("heat-middle"), token("heat-high")] } },
      series: [{ type: "heatmap", data, label: { show: room, fontSize: 10, fontFamily: FONT, formatter: (item) => short(item.value[2]) }, itemStyle: { borderColor: token("card"), borderWidth: 1 }, emphasis: { disabled: true } }],
      tooltip: {
        trigger: "item",
        formatter: ({ data: { cell } }) => tipOf(`First order in ${label(cell.month)}, month +${cell.at}`,
          [[null, byValue ? "Net revenue per customer so far" : "Customers who bought", read(value(cell))], [null, "Customers of the cohort", count(cell.customers)], [null, "Of these active", count(cell.active)]],
          cell.partial ? "The month is not over." : null),
      },
    },
    notes: [statusNote(selection)],
    caption: `${months.length} monthly cohorts, ${label(months[0])} to ${label(months.at(-1))}.`,
  };
}

// --- course of orders ---------------------------------------------------------------------------

function funnelPanel(selection) {
  if (!selection.money.gives_money) return { empty: noMoney(selection) };
  const total = sums("funnel", selection, selection, ["orders_placed", "orders_ever_fulfilled", "orders_ever_cancelled", "orders_reversed", "orders_ever_recognised", "orders_immature"]);
  if (!total.orders_placed) return { empty: nothing(selection) };
  const steps_ = [
    ["Placed", "orders_placed", token("status-other")],
    ["Ever counted as revenue", "orders_ever_recognised", statusColor("paid")],
    ["Ever fulfilled", "orders_ever_fulfilled", statusColor("fulfilled")],
    ["Ever cancelled", "orders_ever_cancelled", statusColor("cancelled")],
    ["Counted once, no more", "orders_reversed", statusColor("cancelled")],
  ];
  const rows = steps_.map(([name, measure, color]) => ({ name, value: total[measure] || 0, color, text: `${count(total[measure])} · ${percent(ratio(total[measure], total.orders_placed))}` }));
  return {
    table: { columns: [{ name: "Step" }, { name: "Orders", kind: "number" }, { name: "Of placed", kind: "percent" }], rows: rows.map((row) => [row.name, row.value, ratio(row.value, total.orders_placed)]) },
    notes: [total.orders_immature ? `${percent(ratio(total.orders_immature, total.orders_placed))} of the orders are 30 days old or younger and may still move: their rates are lower bounds.` : null, statusNote(selection)],
    height: 210,
    chart: lyingBars(rows, { read: count }),
    caption: rows.map((row) => `${row.name}: ${row.text}`).join(", ") + ".",
  };
}

function durationPanel(selection) {
  const found = byName("durations", selection,
    (row, columns, values) => JSON.stringify([values.from_status[columns.from_status[row]], values.to_status[columns.to_status[row]]]),
    ["stays", "stays_measured", "stays_exact", "lower_seconds_sum", "upper_seconds_sum"]);
  const order = (status) => STATUSES.indexOf(status);
  const rows = [...found].map(([key, total]) => [...JSON.parse(key), total])
    .filter(([from]) => selection.statuses.has(from))
    .sort((a, b) => order(a[0]) - order(b[0]) || order(a[1]) - order(b[1]))
    .map(([from, to, total]) => [from, to, total.stays, ratio(total.lower_seconds_sum, total.stays_measured), ratio(total.upper_seconds_sum, total.stays_measured), ratio(total.stays_exact, total.stays)]);
  if (!rows.length) return { empty: "No order of the period was seen to change its status." };
  const table = { columns: [{ name: "From" }, { name: "To" }, { name: "Orders", kind: "number" }, { name: "At least", kind: "duration" }, { name: "At most", kind: "duration" }, { name: "Exact", kind: "percent" }], rows };
  return { table, notes: ["Averages, of all currencies of the chosen accounts."], body: tableOf(table, selection.money, { caption: "Time in status" }) };
}

// --- licenses -----------------------------------------------------------------------------------

const licensing = (selection) => {
  const known = new Set((tables.licenses || EMPTY).accounts);
  return selection.chosen.filter((account) => known.has(account.index));
};

function licensePanel(selection) {
  const names = ["orders", "trials"];
  const found = bySteps("licenses", selection, selection, (row, columns) => [["orders", columns.issued_orders[row]], ["trials", columns.trial_orders[row]]]);
  if (!found.series.size) return { empty: nothing(selection) };
  const colors = { orders: seriesColor(0), trials: seriesColor(1) };
  const total = sums("licenses", selection, selection, ["issued_orders", "trial_orders", "test_orders"]);
  const who = licensing(selection).map(accountName).join(", ");
  return {
    title: `Orders and trials, ${who}`,
    table: tableOfSteps(found, names, selection, { kind: "number" }),
    notes: [`${count(total.issued_orders)} orders and ${count(total.trial_orders)} trials; ${count(total.test_orders)} test orders beside them. No revenue: ${who} knows no amounts.`, paleNote(found)],
    chart: stackedBars(found, names, selection, { color: (name) => colors[name], read: count }),
    caption: `${count(total.issued_orders)} orders, ${count(total.trial_orders)} trials.`,
  };
}

function licenseStatePanel(selection) {
  const total = sums("licenses", selection, selection, ["licenses", "trial_licenses", "licenses_active", "licenses_enabled", "licenses_disabled", "orders_without_licenses"]);
  if (total.licenses === null) return { empty: nothing(selection) };
  const rows = [["Licenses", "licenses", token("status-other")], ["Activated", "licenses_active", statusColor("fulfilled")], ["Enabled", "licenses_enabled", statusColor("paid")], ["Disabled", "licenses_disabled", statusColor("cancelled")], ["Of trials", "trial_licenses", seriesColor(1)]]
    .map(([name, measure, color]) => ({ name, value: total[measure] || 0, color, text: `${count(total[measure])} · ${percent(ratio(total[measure], total.licenses))}` }));
  return {
    table: { columns: [{ name: "State" }, { name: "Licenses", kind: "number" }, { name: "Share", kind: "percent" }], rows: rows.map((row) => [row.name, row.value, ratio(row.value, total.licenses)]) },
    notes: [total.orders_without_licenses ? `Licenses of ${count(total.orders_without_licenses)} orders were not read yet.` : null],
    chart: lyingBars(rows, { read: count }),
    caption: rows.map((row) => `${row.name}: ${row.value}`).join(", ") + ".",
  };
}

// --- state of the data --------------------------------------------------------------------------

const restated = records(cube.restatements);

function restatementPanel(selection) {
  const rows = restated.filter((row) => row.currency === selection.currency && selection.accounts.has(accountOf.get(row.account)?.index));
  const unit = selection.money;
  if (!rows.length) return { empty: "The last load changed no figure of a past day in this selection." };
  const isMoney = (row) => row.metric.endsWith("_minor");
  const read = (row, value) => (isMoney(row) ? money(value, unit) : count(value));
  const delta = (row) => (row.before === null || row.after === null ? null : row.after - row.before);
  const signed = (row) => (delta(row) === null ? DASH : (delta(row) > 0 ? "+" : "") + read(row, delta(row)));
  const write = (row, value) => (value === null ? "" : isMoney(row) ? majorUnits(value, unit) : String(value));
  const names = ["Day", "Account", "Metric", "Before", "After", "Change", "Orders", "Because"];
  const because = { orders: "orders changed", definition: "definition changed" };
  const numeric = new Set(["Before", "After", "Change", "Orders"]);
  const cells = (row, say) => [row.order_date, accountName(accountOf.get(row.account)), plain(row.metric), say(row, row.before), say(row, row.after), say === read ? signed(row) : say(row, delta(row)), count(row.orders), because[row.reason] || row.reason];
  const table = { columns: names.map((name) => ({ name })), rows: rows.map((row) => cells(row, write)) };
  const listed = rows.slice(0, 40).map((row) => cells(row, read));
  const body = tableOf({ columns: table.columns, rows: listed }, unit, { caption: "Restated figures" });
  names.forEach((name, at) => numeric.has(name) && body.querySelectorAll(`tr > :nth-child(${at + 1})`).forEach((cell) => cell.classList.add("number")));
  const days = new Set(rows.map((row) => row.order_date)).size;
  return {
    table, body,
    notes: [
      `${count(rows.length)} figures of ${count(days)} past days, whatever the period chosen.`,
      rows.length > listed.length ? `The newest ${listed.length}; the CSV has more.` : null,
      cube.restatements.in_all > restated.length ? `Of ${count(cube.restatements.in_all)} in all accounts and currencies, the newest ${count(restated.length)} are in this page; marts.restatements has all.` : null,
    ],
  };
}

function dataPanel(selection) {
  const names = ["Account", "Source", "Complete from, UTC", "Complete to, UTC", "Gaps", "Last read, UTC", "Last compared, UTC", "Orders", "Header only", "Quarantine", "Calls this cycle"];
  const rows = selection.chosen.map((account) => [
    account.account, sourceName(account.source), moment(account.covered_from), moment(account.covered_to), count(account.gaps), moment(account.last_extraction_at),
    account.last_compared_at ? `${moment(account.last_compared_at)}, ${account.last_comparison}` : "never",
    count(account.orders), count(account.orders_without_items), count(account.quarantined), callsText(account.calls),
  ]);
  if (!rows.length) return { empty: "No account was loaded yet." };
  const table = { columns: names.map((name) => ({ name })), rows };
  const body = tableOf(table, selection.money, { caption: "State of the data by account" });
  for (const at of [5, 8, 9, 10]) body.querySelectorAll(`tr > :nth-child(${at})`).forEach((cell) => cell.classList.add("number"));
  return { table, body };
}

function callsText(calls) {
  if (!calls) return DASH;
  if (calls.quota === null) return `${count(calls.spent)}, no limit set`;
  return `${count(calls.spent)} of ${count(calls.quota - calls.reserved)} (${percent(ratio(calls.spent, calls.quota - calls.reserved))}), until ${calls.resets_at.slice(0, 10)}`;
}
