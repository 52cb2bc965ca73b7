"use strict";
/* The block that was asked for: its LLRs by what was sent, and what its other fate would change in each frame. */
(() => {
  const { element } = semlink;
  const { airs, moved, lost } = semlink.data("block");
  const place = document.getElementById("block-charts");
  const figure = (title, words) => {
    const chart = element("div", { className: "chart", role: "img", "aria-label": words });
    place.append(element("figure", { className: "panel" }, element("figcaption", {}, title), chart));
    return chart;
  };
  const total = (counts) => counts.reduce((sum, count) => sum + count, 0);
  const drawn = airs.map((air) => {
    const half = air.zeros.length / 2;
    const wrong = total(air.zeros.slice(0, half)) + total(air.ones.slice(half));
    return [figure(air.title, `Histogram of ${total(air.zeros) + total(air.ones)} LLRs; ${wrong} are on the wrong side of zero.`), air];
  });
  const title = `What it would change in each frame, had it ${lost ? "arrived" : "been lost"}`;
  const frames = moved.some((by) => by !== 0) ? figure(title, `${title}: ${moved.map((by, n) => `frame ${n} ${by} dB`).join(", ")}.`) : null;
  const size = (height) => (semlink.isPrinting() ? { height, width: semlink.PAPER / 2 - 8, autosize: false } : { height, width: undefined, autosize: true });
  const margin = { l: 50, r: 10, t: 6, b: 44 };
  const draw = () => {
    for (const [chart, air] of drawn) {
      const width = (2 * air.reach) / air.zeros.length;
      const x = air.zeros.map((_, n) => -air.reach + (n + 0.5) * width);
      const bars = (y, color, shape, name) => ({ type: "bar", x, y, width, name, opacity: 0.72, marker: { color, pattern: { shape, fillmode: "overlay", fgcolor: semlink.css("--ink"), fgopacity: 0.5, size: 5 } }, hovertemplate: `sent as ${name}, LLR %{x:.2f}: %{y} bits<extra></extra>` });
      semlink.chart(chart, [bars(air.zeros, "#56B4E9", "", "0"), bars(air.ones, "#E69F00", "/", "1")], { ...size(300), barmode: "overlay", bargap: 0, margin,
        xaxis: { title: { text: "LLR: sent as 1 (hatched) \u2190 \u2192 sent as 0" }, zeroline: true }, yaxis: { title: { text: "bits" }, rangemode: "tozero" } });
    }
    if (frames) semlink.chart(frames, [{ type: "bar", x: moved.map((_, n) => n), y: moved, marker: { color: semlink.css("--accent") }, hovertemplate: "frame %{x}: %{y:+.2f} dB<extra></extra>" }], { ...size(300), margin, xaxis: { title: { text: "frame" } }, yaxis: { title: { text: "PSNR [dB]" }, zeroline: true } });
  };
  draw();
  semlink.onTheme(draw);
})();
