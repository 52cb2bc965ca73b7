"use strict";
/* What each point spent, by purpose: all schemes where the selected point stands, and its scheme along its points. */
(() => {
  const { element, panels, say } = semlink;
  const { purposes } = semlink.data("ledger");
  const MOST = 40;
  const COLOURS = { payload: "#0072B2", parity: "#56B4E9", crc: "#CC79A7", pilot: "#E69F00", header: "#009E73", side_info: "#F0E442", retransmission: "#D55E00" };
  const PATTERNS = { payload: "", parity: "/", crc: "x", pilot: ".", header: "\\", side_info: "-", retransmission: "+" };
  const share = document.getElementById("ledger-share");
  const legend = document.getElementById("ledger-legend");
  const total = (point) => Object.values(point.ledger).reduce((sum, spent) => sum + spent, 0);
  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 14)}\u2026${text.slice(-12)}` : text);

  const bars = (place, points, nameOf, words) => {
    const shown = points.filter((point) => point.ledger).slice(0, MOST);
    const most = semlink.isPrinting() || place.clientWidth > 500 ? 34 : 24;
    const names = shown.map((point) => short(nameOf(point), most));
    const rows = shown.map((_, number) => number);
    const traces = purposes.map((purpose) => ({
      type: "bar", orientation: "h", y: rows, hoverinfo: "text",
      x: shown.map((point) => (point.ledger[purpose] || 0) / (share.checked ? total(point) / 100 : 1)),
      marker: { color: COLOURS[purpose], line: { color: semlink.css("--paper"), width: 0.6 }, pattern: { shape: PATTERNS[purpose], fillmode: "overlay", fgcolor: "#222", fgopacity: 0.6, size: 6, solidity: 0.2 } },
      hovertext: shown.map((point) => semlink.plotText(`${nameOf(point)}: ${say.purpose(purpose)} ${say.uses(point.ledger[purpose] || 0)} uses, ${say.number((100 * (point.ledger[purpose] || 0)) / total(point), 3)} % of ${say.uses(total(point))}`)),
      customdata: shown.map((point) => point.key),
    }));
    const chosen = shown.findIndex((point) => point.key === semlink.selected());
    const size = semlink.isPrinting() ? { width: semlink.PAPER, autosize: false } : { width: undefined, autosize: true };
    place.setAttribute("aria-label", words);
    semlink.chart(place, traces, {
      barmode: "stack", bargap: 0.3, height: (semlink.isPrinting() ? 80 : 96) + (semlink.isPrinting() ? 18 : 25) * Math.max(shown.length, 1), ...size,
      margin: { l: 20, r: 12, t: semlink.isPrinting() ? 6 : 28, b: 44 },
      xaxis: { title: { text: share.checked ? "share of the channel uses [%]" : "channel uses a clip" }, rangemode: "tozero", tickformat: share.checked ? "" : "," },
      yaxis: { autorange: "reversed", tickvals: rows, ticktext: names.map((name, n) => (n === chosen ? `<b>${semlink.plotText(name)}</b>` : semlink.plotText(name))), ticks: "", showgrid: false },
    });
    return shown;
  };
  const rowsOf = (points) => points.map((point) => element("tr", {}, element("td", {}, element("bdi", {}, point.scheme)), element("td", {}, say.place(point)),
    ...purposes.map((purpose) => element("td", {}, say.uses(point.ledger[purpose] || 0))), element("td", {}, say.uses(total(point)))));

  const draw = () => {
    const at = semlink.point(semlink.selected());
    if (!at) return;
    const on = semlink.points().filter((point) => point.ledger && semlink.scheme(point.scheme).on && point.group === at.group && point.channel === at.channel);
    const sameSnr = on.filter((point) => point.snr_db === at.snr_db);
    const here = at.budget === null ? sameSnr : sameSnr.filter((point) => point.budget === at.budget);
    const along = on.filter((point) => point.scheme === at.scheme && (panels.state.axis === "cost" ? point.snr_db === at.snr_db : point.budget === at.budget));
    const where = [at.channel, at.budget === null ? (at.snr_db === null ? "" : `${say.number(at.snr_db)} dB`) : say.place(at)].filter(Boolean).join(", ");
    document.getElementById("ledger-here-title").textContent = `Every scheme at ${where || "this point"}`;
    document.getElementById("ledger-along-title").replaceChildren(element("bdi", {}, at.scheme), panels.state.axis === "cost" ? " over its costs" : " over SNR");
    const several = at.budget === null;
    const one = bars(document.getElementById("ledger-here"), here, (point) => (several ? `${point.scheme}, ${say.place({ ...point, snr_db: null })}` : point.scheme), `Channel uses by purpose, every scheme at ${where}; numbers in the table below.`);
    const two = bars(document.getElementById("ledger-along"), along, (point) => say.place(panels.state.axis === "cost" ? { ...point, snr_db: null } : { ...point, budget: null, rate: null }) || point.scheme, `Channel uses by purpose of ${at.scheme}; numbers in the table below.`);
    const left = here.length + along.length - one.length - two.length;
    document.getElementById("ledger-left").textContent = left ? `${left} more points are not drawn.` : "";
    document.querySelector("#ledger-numbers tbody").replaceChildren(...rowsOf([...new Set([...one, ...two])]));
  };
  for (const purpose of purposes) {
    const patch = element("span", { className: `patch patch-${purpose}` });
    patch.style.backgroundColor = COLOURS[purpose];
    legend.append(element("span", { className: "chip plain" }, patch, say.purpose(purpose)));
  }
  document.querySelector("#ledger-numbers thead").append(element("tr", {}, ...["scheme", "point", ...purposes.map(say.purpose), "all"].map((word) => element("th", { scope: "col" }, word))));
  share.addEventListener("change", draw);
  panels.onChange(draw);
  semlink.onSchemes(draw);
  semlink.onTheme(draw);
  semlink.onPoint(draw);
})();
