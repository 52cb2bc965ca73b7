"use strict";
/* Which points charts show, and in which panels: the controls above the curves, which all charts follow.

   semlink.panels.state            {axis, metric, channel, snr_db, budget, log, noise, clips}
   semlink.panels.change(values)   sets some of them
   semlink.panels.onChange(callback)
   semlink.panels.list()           {panels: [{title, kind, lines}], left}; a line is {scheme, label, points} in order of x
   semlink.panels.x(point)         where a point stands on the axis
   semlink.panels.xaxis()          that axis for a chart
   semlink.panels.draw(place, chartOf, height, isDrawn)
                                   a chart for each panel of which isDrawn(panel) into an element; chartOf(panel, all) gives
                                   [traces, layout, words]
*/
semlink.panels = (() => {
  const MOST = 12;
  const FEW = 6;
  const AT_ONCE = 400; // points that are drawn unasked
  const { element } = semlink;
  const points = semlink.points();
  const distinct = (values) => [...new Set(values.filter((value) => value !== null && value !== undefined && value !== ""))];
  const ordered = (values) => distinct(values).sort((a, b) => a - b);
  const channels = distinct(points.map((point) => point.channel));
  const snrs = ordered(points.map((point) => point.snr_db));
  const budgets = ordered(points.map((point) => point.budget));
  const longest = (lineOf, xOf) => {
    const lines = new Map();
    for (const point of points) {
      const key = lineOf(point);
      lines.set(key, (lines.get(key) || new Set()).add(xOf(point)));
    }
    return Math.max(0, ...[...lines.values()].map((found) => found.size));
  };
  const overCost = longest((p) => JSON.stringify([p.scheme, p.channel, p.snr_db]), (p) => p.budget ?? p.rate ?? p.cost);
  const overSnr = longest((p) => JSON.stringify([p.scheme, p.channel, p.budget, p.budget === null ? p.rate : null]), (p) => p.snr_db);
  const axes = [...(points.some((point) => point.cost !== undefined || point.budget !== null) ? ["cost"] : []), ...(snrs.length > 1 ? ["snr"] : [])];
  const middle = (values) => values[Math.floor(values.length / 2)];
  const isMuch = (values) => values.length > 1 && (values.length * Math.max(channels.length, 1) > FEW || points.length > AT_ONCE);
  const told = [];
  const state = {
    axis: axes.includes("snr") && overSnr > overCost ? "snr" : axes[0] || "cost",
    metric: semlink.firstMetric,
    channel: null,
    snr_db: isMuch(snrs) ? middle(snrs) : null,
    budget: isMuch(budgets) ? middle(budgets) : null,
    log: null,
    noise: true,
    clips: semlink.schemes().length <= 3,
  };
  const change = (values) => {
    Object.assign(state, values);
    told.forEach((callback) => callback(state));
  };
  const x = (point) => (state.axis === "snr" ? point.snr_db : (point.cost ?? point.budget));
  const isChosen = (point) =>
    (state.channel === null || point.channel === state.channel || point.senses) &&
    (state.axis === "snr"
      ? point.snr_db !== null && (state.budget === null || point.budget === null || point.budget === state.budget)
      : state.snr_db === null || point.snr_db === null || point.snr_db === state.snr_db);

  const placeOf = (point) => {
    if (state.axis === "cost") return { group: point.group, kind: point.senses ? "readings" : "uses", channel: point.channel, snr_db: point.snr_db };
    const own = point.budget === null && point.rate !== null;
    return { group: point.group, kind: own ? "rate" : "budget", channel: point.channel, budget: own ? null : point.budget, scheme: own ? point.scheme : null };
  };
  const WORDS = {
    group: (group) => semlink.groups[group],
    kind: (kind) => ({ readings: "readings alone, nothing is sent", uses: "", rate: "", budget: "" })[kind],
    channel: (channel) => channel,
    snr_db: (snr) => (snr === null ? "" : `${semlink.snrName} = ${semlink.say.number(snr)} dB`),
    budget: (budget) => (budget === null ? "" : `at most ${semlink.say.number(budget)} channel uses per pixel`),
    scheme: (scheme) => scheme || "",
  };
  const costs = (list) => {
    const found = ordered(list.map((point) => point.cost));
    if (!found.length) return "";
    const ends = [found[0], found[found.length - 1]].map((cost) => semlink.say.number(cost, 3));
    return ends[0] === ends[1] ? ends[0] : `${ends[0]} to ${ends[1]}`;
  };
  const list = () => {
    const found = new Map();
    for (const point of points) {
      if (!semlink.scheme(point.scheme).on || !isChosen(point) || x(point) === undefined || x(point) === null) continue;
      const place = placeOf(point);
      const key = JSON.stringify(place);
      if (!found.has(key)) found.set(key, { place, lines: new Map() });
      const lines = found.get(key).lines;
      const rate = place.kind === "rate" ? point.rate : null;
      const line = JSON.stringify([point.scheme, rate]);
      if (!lines.has(line)) lines.set(line, { scheme: semlink.scheme(point.scheme), rate, points: [] });
      lines.get(line).points.push(point);
    }
    const panels = [...found.values()];
    const varied = Object.keys(WORDS).filter((name) => distinct(panels.map(({ place }) => JSON.stringify(place[name] ?? null))).length > 1);
    const known = state.axis === "cost" ? "snr_db" : "budget";
    const rank = (place) => [place.group, place.kind === "readings" ? 1 : 0, channels.indexOf(place.channel), place.snr_db ?? place.budget ?? -Infinity];
    panels.sort((a, b) => {
      const [one, other] = [rank(a.place), rank(b.place)];
      const first = one.findIndex((value, n) => value !== other[n]);
      return first < 0 ? 0 : one[first] - other[first];
    });
    for (const panel of panels) {
      panel.kind = panel.place.kind;
      panel.title = [...new Set([...varied, known, "scheme"])].map((name) => (name in panel.place ? WORDS[name](panel.place[name]) : "")).filter(Boolean).join(" · ");
      panel.lines = [...panel.lines.values()];
      for (const line of panel.lines) {
        line.points.sort((a, b) => x(a) - x(b));
        line.label = line.rate === null ? line.scheme.name : `rate ${semlink.say.number(line.rate)}: ${costs(line.points)} uses per pixel`;
      }
    }
    return { panels: panels.slice(0, MOST), left: panels.length - Math.min(panels.length, MOST) };
  };
  const ticks = (low, high) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of high / low > 300 ? [1] : [1, 2, 5]) found.push(Number((digit * 10 ** power).toPrecision(3)));
    }
    return found;
  };
  const xaxis = (panel) => {
    if (state.axis === "snr") return { title: { text: `${semlink.snrName} [dB]` } };
    const title = { text: semlink.costNames[panel.kind === "readings" ? "measurements_per_pixel" : "channel_uses_per_pixel"] };
    const values = panel.lines.flatMap((line) => line.points.map(x)).filter((value) => value > 0);
    const isLog = state.log ?? (values.length > 0 && Math.max(...values) > 8 * Math.min(...values));
    if (!isLog || !values.length) return { title, rangemode: "tozero" };
    const marks = ticks(Math.min(...values), Math.max(...values));
    return { title, type: "log", tickvals: marks, ticktext: marks.map((mark) => semlink.say.number(mark)) };
  };
  /* A click selects the point; arrow keys go along the line and from line to line. */
  const listen = (chart) => {
    chart.isHeard = true;
    chart.on("plotly_click", (event) => {
      const key = event.points.map((point) => point.customdata).find(Boolean);
      if (key) semlink.selectPoint(key);
    });
    chart.addEventListener("keydown", (event) => {
      const move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey || !chart.panel.lines.length) return;
      event.preventDefault();
      semlink.selectPoint(neighbour(chart.panel.lines, semlink.point(semlink.selected()), move).key);
    });
  };
  const neighbour = (lines, from, [down, along]) => {
    const at = lines.findIndex((line) => line.points.includes(from));
    if (at < 0) return lines[0].points[0];
    const own = lines[at].points;
    if (along) return own[Math.min(Math.max(own.indexOf(from) + along, 0), own.length - 1)];
    const far = (point) => Math.abs(x(point) - x(from));
    return lines[(at + down + lines.length) % lines.length].points.reduce((best, point) => (far(point) < far(best) ? point : best));
  };
  const draw = (place, chartOf, height = 0, isDrawn = () => true) => {
    const { panels: all, left } = list();
    const panels = all.filter(isDrawn);
    const columns = panels.length > 1 ? 2 : 1;
    place.classList.toggle("several", panels.length > 1);
    while (place.children.length > panels.length) {
      Plotly.purge(place.lastChild.querySelector(".chart"));
      place.lastChild.remove();
    }
    while (place.children.length < panels.length) {
      place.append(element("figure", { className: "panel" }, element("figcaption", { dir: "auto" }), element("div", { className: "chart", tabIndex: 0, role: "group" })));
    }
    panels.forEach((panel, number) => {
      const figure = place.children[number];
      const chart = figure.querySelector(".chart");
      figure.querySelector("figcaption").textContent = panel.title;
      const [traces, layout, words] = chartOf(panel, panels);
      chart.setAttribute("aria-label", words);
      const tall = semlink.isPrinting() ? 290 : height || (panels.length > 1 ? 330 : 470);
      const size = semlink.isPrinting() ? { width: (semlink.PAPER - 20 * (columns - 1)) / columns, autosize: false } : { width: undefined, autosize: true };
      semlink.chart(chart, traces, { height: tall, ...size, ...layout });
      chart.panel = panel;
      if (!chart.isHeard) listen(chart);
    });
    return { panels, left };
  };
  return { state, axes, channels, snrs, budgets, change, onChange: (callback) => told.push(callback), list, x, xaxis, draw };
})();
