"use strict";
/* Charts in the page's colours, and what is said of a point.

   semlink.chart(place, traces, layout)   draws, or draws again, into an element
   semlink.say.number(x, digits)          a number with so many significant digits
   semlink.say.uses(x)                    channel uses, whole
   semlink.say.quality(x, metric)         a quality with its unit
   semlink.say.half(x, metric)            a half width, "±0.41"; "" for none
   semlink.say.place(point)               where it stands: "10 dB, budget 0.006"
   semlink.say.facts(point, metric)       [[word, what]] of all that is known of it
   semlink.say.dropEmpty(table)           hides columns of a table that say nothing
   semlink.say.hover(point, metric)       the same for under the pointer
*/
semlink.chart = (() => {
  const NARROW = 600;
  const coarse = window.matchMedia("(pointer: coarse)");
  const axis = (given = {}) => ({
    gridcolor: semlink.css("--grid"),
    linecolor: semlink.css("--quiet"),
    zerolinecolor: semlink.css("--quiet"),
    zeroline: false,
    ticks: "outside",
    ticklen: 4,
    tickcolor: semlink.css("--quiet"),
    automargin: true,
    ...given,
  });
  /* A screen reader hears one picture, by the label of its place, and beside it the buttons. */
  const spoken = (place) => {
    document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true");
    place.querySelectorAll("svg.main-svg").forEach((svg, number) => {
      if (number) svg.setAttribute("aria-hidden", "true");
      else Object.entries({ role: "img", "aria-label": place.getAttribute("aria-label") }).forEach(([name, value]) => svg.setAttribute(name, value));
    });
    place.querySelectorAll(".modebar").forEach((bar) => bar.setAttribute("aria-label", "tools of the chart"));
    place.querySelectorAll(".modebar-btn svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  };
  return (place, traces, layout = {}) => {
    const ink = semlink.css("--ink");
    const whole = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 13, color: ink },
      margin: { l: 54, r: 12, t: 10, b: 46 },
      hovermode: "closest",
      hoverdistance: 24,
      hoverlabel: {
        align: "left",
        bgcolor: semlink.css("--panel"),
        bordercolor: semlink.css("--quiet"),
        font: { color: ink, size: 12.5 },
        namelength: -1,
      },
      showlegend: false,
      dragmode: coarse.matches ? false : "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: semlink.css("--quiet"), activecolor: semlink.css("--accent") },
      ...layout,
    };
    for (const name of Object.keys(whole).filter((key) => /^[xy]axis/.test(key))) whole[name] = axis(whole[name]);
    const config = {
      displaylogo: false,
      responsive: true,
      displayModeBar: window.innerWidth < NARROW ? false : "hover", // on a small screen it would lie on the curves
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: document.title },
    };
    return Plotly.react(place, traces, whole, config).then(() => spoken(place));
  };
})();

semlink.say = (() => {
  const MINUS = "\u2212";
  const PURPOSES = { crc: "CRC", side_info: "side information", pilot: "pilots", header: "headers", retransmission: "retransmissions" };
  const number = (x, digits = 4) => {
    if (x === null || x === undefined) return "";
    const text = Math.abs(x) >= 10 ** digits ? Math.round(x).toLocaleString("en") : String(Number(x.toPrecision(digits)));
    return text.replace("-", MINUS);
  };
  const uses = (x) => (x === null || x === undefined ? "" : Math.round(x).toLocaleString("en"));
  const fixed = (x, metric) => x.toFixed(metric.decimals).replace("-", MINUS);
  const unit = (metric) => (metric.unit ? `\u00a0${metric.unit}` : "");
  const quality = (x, metric) => (x === null || x === undefined ? "" : fixed(x, metric) + unit(metric));
  const half = (x, metric) => (x === null || x === undefined ? "" : `\u00b1${fixed(x, metric)}`);
  const signed = (x, metric) => (x > 0 ? "+" : "") + fixed(x, metric);
  const dropEmpty = (table) => {
    const rows = [...table.tBodies[0].rows].filter((row) => row.cells.length === table.tHead.rows[0].cells.length);
    const all = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((head, number) => {
      const texts = new Set(rows.map((row) => row.cells[number].textContent || (row.cells[number].querySelector(".bar") ? "drawn" : "")));
      const isBare = rows.length === all.length && (texts.size === 0 || (texts.size === 1 && (texts.has("") || ["channel", "SNR [dB]"].includes(head.textContent) && rows.length > 1)));
      [head, ...rows.map((row) => row.cells[number])].forEach((cell) => { cell.hidden = isBare; });
    });
  };
  const purpose = (name) => PURPOSES[name] || name;
  const place = (point) => {
    const parts = point.snr_db === null ? [] : [`${number(point.snr_db)}\u00a0dB`];
    if (point.budget !== null) parts.push(`budget ${number(point.budget)}`);
    else if (point.rate !== null) parts.push(`rate ${number(point.rate)}`);
    return parts.join(", ");
  };
  const isSent = (point) => semlink.metrics.some(({ column }) => point[column] !== undefined || (point.lossless || []).includes(column));
  const facts = (point, metric) => {
    const told = [];
    const tell = (word, what) => { if (what !== "" && what !== undefined && what !== null) told.push([word, what]); };
    for (const one of [metric, ...semlink.metrics.filter((other) => other !== metric)]) {
      const noise = half(point[one.over_noise], one);
      const clips = half(point[one.over_clips], one);
      const spread = [noise && `${noise} over noise`, clips && `${clips} over clips`].filter(Boolean).join(", ");
      if ((point.lossless || []).includes(one.column)) tell(one.title, "without any error");
      else if (point[one.column] !== undefined) tell(one.title, quality(point[one.column], one) + (spread ? ` (${spread})` : ""));
    }
    if (!isSent(point)) tell("not sent", point.note || "no quality");
    tell("channel", point.channel);
    if (point.snr_db !== null) tell("SNR", `${number(point.snr_db)} dB`);
    if (point.budget !== null) tell("budget", `${number(point.budget)} uses per pixel`);
    else if (point.rate !== null) tell("rate", number(point.rate));
    if (point.uses !== undefined) tell("cost", `${number(point.cost)} uses per pixel, ${uses(point.uses)} a clip`);
    if (point.readings !== undefined) tell("readings", `${number(point.readings)} per pixel`);
    if (point.ledger) tell("ledger", Object.entries(point.ledger).map(([name, spent]) => `${purpose(name)} ${uses(spent)}`).join(", "));
    tell("MCS", point.mcs);
    if (point.bler !== undefined) {
      const range = point.bler_ci95_low === undefined ? "" : ` (${number(point.bler_ci95_low, 2)} to ${number(point.bler_ci95_high, 2)})`;
      tell("BLER", number(point.bler, 2) + range);
    }
    if (point.outage !== undefined) tell("outage", number(point.outage, 2));
    if (point.trials !== undefined) tell("trials", `${point.trials} of each of ${point.clips} clip${point.clips === 1 ? "" : "s"}`);
    tell("genie", point.genie);
    if (point.bound) {
      const { bound } = semlink.scheme(point.scheme);
      tell("bound", bound === "bound" ? "idealised, no receiver reaches it" : `${bound}, none on ${metric.title}`);
    }
    if (isSent(point)) tell("note", point.note);
    return told;
  };
  const wrapped = (text, width = 58) => {
    const lines = [""];
    for (const word of text.slice(0, 400).match(/\S{1,58}\s*/g) || []) {
      if ((lines[lines.length - 1] + word).length > width) lines.push("");
      lines[lines.length - 1] += word;
    }
    return lines.filter(Boolean);
  };
  const hover = (point, metric, ...more) => {
    const lines = [...more, ...facts(point, metric).map(([word, what]) => `${word}: ${what}`)].flatMap((line) => wrapped(line));
    const head = wrapped(point.scheme).map((line) => `<b>${semlink.plotText(line)}</b>`);
    return [...head, ...lines.map(semlink.plotText)].join("<br>");
  };
  return { dropEmpty, number, uses, quality, half, signed, unit, purpose, place, facts, hover, isSent, MINUS };
})();
