"use strict";
/* All points of the schemes that are shown: sorted by any column, filtered by words. */
(() => {
  const { element, say } = semlink;
  const FIRST = 100;
  const table = document.getElementById("all-points");
  const filter = document.getElementById("filter");
  const more = document.getElementById("more-points");
  const points = semlink.points();
  const some = (name) => points.some((point) => point[name] !== undefined && point[name] !== null && point[name] !== "");
  const plain = (name, digits = 4) => ({ value: (point) => point[name], cell: (point) => say.number(point[name], digits) });
  const every = [
    { head: "scheme", text: true, value: (point) => point.scheme, cell: (point) => point.scheme + (point.genie ? ` (genie: ${point.genie})` : "") + (point.bound ? " (bound)" : "") },
    some("channel") && { head: "channel", text: true, value: (point) => point.channel, cell: (point) => point.channel },
    some("snr_db") && { head: "SNR [dB]", ...plain("snr_db") },
    some("budget") && { head: "budget", ...plain("budget") },
    some("rate") && { head: "rate", ...plain("rate") },
    some("uses") && { head: "uses/pixel", value: (point) => (point.uses === undefined ? undefined : point.cost), cell: (point) => (point.uses === undefined ? "" : say.number(point.cost)) },
    some("readings") && { head: "readings/pixel", ...plain("readings") },
    ...semlink.metrics.flatMap((metric) => [{
      head: metric.label,
      value: (point) => ((point.lossless || []).includes(metric.column) ? Infinity : point[metric.column]),
      cell: (point) => ((point.lossless || []).includes(metric.column) ? "no error" : [point[metric.column] === undefined ? "" : point[metric.column].toFixed(metric.decimals).replace("-", say.MINUS), point[metric.column] === undefined ? "" : say.half(point[metric.over_noise] || undefined, metric)].filter(Boolean).join(" ")),
    }]),
    some("mcs") && { head: "MCS", text: true, value: (point) => point.mcs || "", cell: (point) => point.mcs || "" },
    some("bler") && { head: "BLER", ...plain("bler", 2) },
    some("trials") && { head: "trials", ...plain("trials") },
    some("note") && { head: "note", text: true, words: true, value: (point) => point.note || "", cell: (point) => point.note || "" },
  ].filter(Boolean);
  /* What is the same in every row is said once. */
  const CONSTANT = ["channel", "SNR [dB]", "readings/pixel", "trials", "BLER"];
  const same = every.filter((column) => points.length > 1 && CONSTANT.includes(column.head) && new Set(points.map(column.cell)).size === 1);
  const columns = every.filter((column) => !same.includes(column));
  document.getElementById("same").textContent = same.length ? `In every row: ${same.map((column) => `${column.head} ${column.cell(points[0])}`).join(", ")}.` : "";
  let by = null;
  let down = false;
  let most = FIRST;
  let rows = [];

  const words = new Map(points.map((point) => [point.key, columns.map((column) => column.cell(point)).join(" ").toLowerCase()]));
  const chosen = () => {
    const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = points.filter((point) => semlink.scheme(point.scheme).on && asked.every((word) => words.get(point.key).includes(word)));
    if (!by) return found;
    const empty = (value) => value === undefined || value === null || value === "";
    const order = (a, b) => (by.text ? String(a).localeCompare(String(b)) : a - b) * (down ? -1 : 1);
    return [...found].sort((a, b) => {
      const [one, other] = [by.value(a), by.value(b)];
      if (empty(one) || empty(other)) return empty(one) - empty(other);
      return order(one, other);
    });
  };
  const row = (point) => {
    const cells = columns.map((column) => element("td", { className: [column.text ? "text" : "", column.words ? "words" : ""].join(" ").trim() }, element("bdi", {}, column.cell(point))));
    cells[0].prepend(semlink.swatch(semlink.scheme(point.scheme)), " ");
    const made = element("tr", { className: [point.genie ? "genie" : "", point.bound ? "bound" : "", say.isSent(point) ? "" : "not-sent"].join(" ").trim() }, ...cells);
    made.dataset.key = point.key;
    return made;
  };
  /* On paper there is no room for a column of words: the note has a row of its own. */
  const noteRow = (point) => {
    if (!point.note) return [];
    const made = element("tr", { className: say.isSent(point) ? "note" : "note not-sent" }, element("td", { colSpan: columns.length }, element("bdi", {}, point.note)));
    made.dataset.key = point.key;
    return [made];
  };
  const mark = () => table.tBodies[0].querySelectorAll("tr").forEach((one) => one.classList.toggle("chosen", one.dataset.key === semlink.selected()));
  const draw = () => {
    rows = chosen();
    for (const [number, head] of [...table.tHead.rows[0].cells].entries()) {
      head.setAttribute("aria-sort", columns[number] === by ? (down ? "descending" : "ascending") : "none");
      head.replaceChildren(semlink.isPrinting() ? columns[number].head : buttons[number]); // a head of buttons is not repeated on the next sheet
    }
    table.tBodies[0].replaceChildren(...rows.slice(0, most).flatMap((point) => [row(point), ...(semlink.isPrinting() ? noteRow(point) : [])]));
    more.hidden = rows.length <= most;
    more.textContent = `show all ${rows.length.toLocaleString("en")} points (the first ${most} are shown)`;
    const isCut = semlink.isPrinting() && rows.length > most;
    const counted = isCut ? `The first ${most} of ${rows.length.toLocaleString("en")} points` : rows.length === points.length ? "" : `${rows.length} of ${points.length} points`;
    document.getElementById("counted").textContent = counted;
    mark();
  };
  const buttons = columns.map((column) => {
    const button = element("button", { type: "button" }, column.head);
    button.addEventListener("click", () => {
      down = by === column ? !down : false;
      by = column;
      draw();
    });
    return button;
  });
  table.tHead.append(element("tr", {}, ...columns.map((column) => element("th", { scope: "col", className: [column.text ? "text" : "", column.words ? "words" : ""].join(" ").trim() }))));
  table.addEventListener("click", (event) => {
    const found = event.target.closest("tbody tr");
    if (found) semlink.selectPoint(found.dataset.key);
  });
  filter.addEventListener("input", draw);
  more.addEventListener("click", () => { most = Infinity; draw(); });
  semlink.onSchemes(draw);
  semlink.onTheme(draw);
  semlink.onPoint(mark);
  draw();
})();
