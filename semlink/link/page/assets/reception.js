"use strict";
/* One reception of the selected point: symbols, LLRs, gain over time, and the fates of its blocks. */
(() => {
  const { element, say } = semlink;
  const { steps, points } = semlink.data("reception");
  const at = (name) => document.getElementById(`reception-${name}`);
  const ZERO = "#56B4E9";
  const ONE = "#E69F00";
  const FATES = [
    { name: "arrived", colour: "#009E73", pattern: "" },
    { name: "failed, arrived when sent again", colour: "#E69F00", pattern: "/" },
    { name: "lost", colour: "#D55E00", pattern: "x" },
    { name: "not said", colour: "#8a929a", pattern: "." },
  ];
  const unpacked = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const parts = new Int16Array(bytes.buffer);
    return Array.from({ length: parts.length / 2 }, (_, n) => [parts[2 * n] / steps, parts[2 * n + 1] / steps]);
  };
  const sized = (height) => (semlink.isPrinting() ? { height, width: semlink.PAPER, autosize: false } : { height, width: undefined, autosize: true });
  const half = (height) => (semlink.isPrinting() ? { height: 290, width: semlink.PAPER / 2 - 8, autosize: false } : { height, width: undefined, autosize: true });
  const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))] || 0;
  let kind = 0;

  const constellation = (scatter) => {
    const symbols = unpacked(scatter.received);
    const coded = scatter.points !== undefined;
    const sent = coded ? null : unpacked(scatter.sent);
    const pairs = coded ? symbols : symbols.flatMap(([re, im], n) => [[sent[n][0], re], [sent[n][1], im]]);
    const parts = pairs.flat().map(Math.abs);
    const reach = Math.min(1.08 * quantile(parts, 0.992), 4) || 1;
    const limit = coded ? Math.max(reach, 1.35 * Math.max(...scatter.points.flat().map(Math.abs))) : reach;
    const groups = coded ? [["0", "--accent", "circle", "nearest to the point that was sent"], ["1", "--bad", "x", "nearest to another point"]] : [["", "--accent", "circle", ""]];
    const traces = groups.map(([flag, ink, symbol, name]) => {
      const mine = flag ? pairs.filter((_, n) => scatter.wrong[n] === flag) : pairs;
      return { mode: "markers", x: mine.map(([x]) => x), y: mine.map(([, y]) => y), hoverinfo: "skip", name,
        marker: { color: semlink.css(ink), size: symbol === "x" ? 4.5 : 3.5, opacity: 0.5, symbol } };
    });
    if (coded) traces.push({ mode: "markers", x: scatter.points.map(([x]) => x), y: scatter.points.map(([, y]) => y), hovertemplate: "point %{x:.2f}, %{y:.2f}<extra></extra>",
      marker: { color: semlink.css("--ink"), size: 11, symbol: "cross-thin", line: { color: semlink.css("--ink"), width: 1.6 } } });
    else traces.push({ mode: "lines", x: [-limit, limit], y: [-limit, limit], hoverinfo: "skip", line: { color: semlink.css("--ink"), width: 1, dash: "dash" } });
    const outside = pairs.filter(([x, y]) => Math.abs(x) > limit || Math.abs(y) > limit).length;
    const wrong = coded ? [...scatter.wrong].filter((flag) => flag === "1").length : 0;
    const axis = { range: [-limit, limit], zeroline: true };
    const place = at("constellation");
    const seen = coded ? `${scatter.points.length} points, ${say.uses(symbols.length)} received symbols, ${say.uses(wrong)} of them nearest to another point than the one sent` : `${say.uses(symbols.length)} symbols, received parts against sent parts`;
    place.setAttribute("aria-label", `Scatter plot: ${seen}.`);
    at("symbols-title").textContent = coded ? `Received symbols: ${scatter.name}` : `Received against sent amplitudes: ${scatter.name}`;
    const shown = symbols.length < scatter.of ? `${say.uses(symbols.length)} of ${say.uses(scatter.of)} symbols` : `All ${say.uses(scatter.of)} symbols`;
    const marks = coded ? `, crosses where points are; ${say.uses(wrong)} (marked \u00d7) lie nearest to another point than the one sent.` : "; on the line what arrives is what was sent.";
    at("outside").textContent = shown + marks + (outside ? ` ${say.uses(outside)} ${coded ? "" : "amplitudes "}lie outside the picture.` : "");
    semlink.chart(place, traces, { ...half(380), margin: { l: 50, r: 10, t: 6, b: 44 },
      xaxis: { ...axis, title: { text: coded ? "in phase" : "sent" }, constrain: "domain" },
      yaxis: { ...axis, title: { text: coded ? "quadrature" : "received" }, scaleanchor: "x", constrain: "domain" } });
  };

  const histogram = (llr) => {
    at("bits").hidden = !llr;
    if (!llr) return;
    const bins = llr.zeros.length;
    const width = (2 * llr.reach) / bins;
    const middle = llr.zeros.map((_, n) => -llr.reach + (n + 0.5) * width);
    const total = [...llr.zeros, ...llr.ones].reduce((sum, count) => sum + count, 0) || 1;
    const bars = (counts, colour, shape, name) => ({ type: "bar", x: middle, y: counts.map((count) => (100 * count) / total), width, name, opacity: 0.72,
      marker: { color: colour, line: { width: 0 }, pattern: { shape, fillmode: "overlay", fgcolor: semlink.css("--ink"), fgopacity: 0.5, size: 5, solidity: 0.15 } },
      hovertemplate: `sent as ${name}, LLR %{x:.2f}: %{y:.2f} % of all bits<extra></extra>` });
    const half0 = bins / 2;
    const wrong = llr.zeros.slice(0, half0).reduce((a, b) => a + b, 0) + llr.ones.slice(half0).reduce((a, b) => a + b, 0);
    const share = `${say.number((100 * wrong) / total, 2)} %`;
    at("llr").setAttribute("aria-label", `Histogram of the LLRs of ${say.uses(total)} bits, sent as 0 and as 1; ${share} are on the wrong side of zero.`);
    const swatch = (colour) => { const patch = element("span", { className: "patch" }); patch.style.backgroundColor = colour; return patch; };
    at("legend").replaceChildren(swatch(ZERO), " sent as 0 ", swatch(ONE), ` sent as 1 (hatched). ${share} of ${say.uses(total)} bits are on the wrong side of zero; the outer bars hold all that lies beyond.`);
    semlink.chart(at("llr"), [bars(llr.zeros, ZERO, "", "0"), bars(llr.ones, ONE, "/", "1")], { ...half(380), barmode: "overlay", bargap: 0, margin: { l: 50, r: 10, t: 6, b: 44 },
      xaxis: { title: { text: "LLR: 1 is likelier \u2190 \u2192 0 is likelier" }, range: [-llr.reach, llr.reach], zeroline: true },
      yaxis: { title: { text: "share of the bits [%]" }, rangemode: "tozero" } });
  };

  const overTime = (seen) => {
    const { gain, blocks, bursts } = seen;
    at("time").hidden = !gain && !blocks.length;
    if (at("time").hidden) return;
    const used = FATES.map((fate, number) => ({ ...fate, number, mine: blocks.filter((block) => block[2] === number) })).filter((fate) => fate.mine.length);
    const traces = used.map(({ name, colour, pattern, mine }) => ({ type: "bar", orientation: "h", yaxis: gain ? "y2" : "y", y: mine.map(() => "blocks"), base: mine.map(([from]) => from), x: mine.map(([from, to]) => to - from),
      width: 0.9, customdata: mine.map(([from, to]) => [Math.round(from), Math.round(to)]), hovertemplate: `block ${name}: symbols %{customdata[0]} to %{customdata[1]}<extra></extra>`,
      marker: { color: colour, line: { color: semlink.css("--paper"), width: mine.length > 150 ? 0 : 1 }, pattern: { shape: pattern, fillmode: "overlay", fgcolor: "#222", fgopacity: 0.7, size: 7, solidity: 0.25 } } }));
    const line = (y, name, look) => ({ mode: "lines", x: gain.at, y, name, connectgaps: false, line: look, hovertemplate: `symbol %{x}: ${name} %{y:.1f} dB<extra></extra>` });
    const lines = gain ? [gain.true && line(gain.true, "gain", { color: semlink.css("--ink"), width: 1.6 }), gain.believed && line(gain.believed, "receiver's estimate", { color: semlink.css("--bad"), width: 1.6, dash: "dash" })].filter(Boolean) : [];
    const levels = lines.flatMap((trace) => trace.y).filter((level) => level !== null);
    const low = Math.max(Math.min(...levels, -3) - 2, -45);
    const strip = { fixedrange: true, ticks: "", showgrid: false };
    const level = { title: { text: "|gain|\u00b2 [dB]" }, range: [low, Math.max(...levels, 3) + 1], domain: [blocks.length ? 0.2 : 0, 1] };
    const axes = !gain ? { yaxis: strip } : blocks.length ? { yaxis: level, yaxis2: { ...strip, domain: [0, 0.13] } } : { yaxis: level };
    const shapes = bursts.slice(1, 200).map((start) => ({ type: "line", x0: start, x1: start, yref: "paper", y0: 0, y1: 1, line: { color: semlink.css("--quiet"), width: 1, dash: "dot" } }));
    const count = used.map(({ name, mine }) => `${say.uses(mine.length)} ${name}`).join(", ");
    at("time-title").textContent = gain ? "Gain over time" + (blocks.length ? ", and the blocks below it" : "") : "Blocks over time";
    const spread = levels.length ? ` between ${say.number(Math.min(...levels), 3)} and ${say.number(Math.max(...levels), 3)} dB` : "";
    at("gain").setAttribute("aria-label", `${gain ? `Gain over the data symbols${spread}. ` : ""}${blocks.length ? `Blocks on the air: ${count}.` : ""}`);
    const patches = used.flatMap(({ name, colour, number, mine }) => { const patch = element("span", { className: `patch fate-${number}` }); patch.style.backgroundColor = colour; return [patch, ` ${say.uses(mine.length)} ${name}  `]; });
    const told = lines.length === 2 ? ["Solid: |gain|\u00b2 of the channel; dashed: what the receiver takes it for, noise and errors of its estimate counted in; 0 dB is the SNR asked for. "] : lines.length ? ["|gain|\u00b2; 0 dB is the SNR asked for. "] : [];
    at("fates").replaceChildren(...told, ...(blocks.length ? ["Blocks: ", ...patches] : []), bursts.length > 1 ? "Dotted: where a burst begins." : "");
    semlink.chart(at("gain"), [...lines, ...traces], { ...sized(gain ? 330 : 130), shapes, barmode: "overlay", margin: { l: 62, r: 12, t: 6, b: 44 },
      xaxis: { title: { text: "data symbol" }, range: [0, seen.symbols], anchor: gain && blocks.length ? "y2" : "y" }, ...axes });
  };

  const sameElsewhere = (here) => semlink.points().filter((point) => point.scheme === here.scheme && point.group === here.group && point.snr_db === here.snr_db && point.budget === here.budget && point.rate === here.rate);
  const fill = (select, holder, entries, chosen) => {
    holder.hidden = entries.length < 2;
    select.replaceChildren(...entries.map(([value, name]) => element("option", { value, selected: value === chosen }, name)));
  };

  const draw = () => {
    const here = semlink.point(semlink.selected());
    if (!here) return;
    const seen = points[here.key];
    at("title").replaceChildren(element("bdi", {}, here.scheme), `, ${[here.channel, say.place(here)].filter(Boolean).join(", ")}`);
    fill(at("channel"), at("channels"), sameElsewhere(here).map((point) => [point.key, point.channel]), here.key);
    at("charts").hidden = !seen;
    at("words").textContent = seen ? seen.words.join(" ") : "";
    const why = here.bound ? "A bound meets no antenna, so there is nothing to show." : here.senses ? "Nothing is sent here." : "Nothing is kept of a reception at this point: it did not fit, or was computed before receptions were kept.";
    at("none").textContent = seen ? "" : why;
    if (!seen) { at("kinds").hidden = true; return; }
    kind = Math.min(kind, seen.scatters.length - 1);
    fill(at("kind"), at("kinds"), seen.scatters.map((scatter, n) => [String(n), `${scatter.name}${scatter.points ? `, ${scatter.points.length} points` : ""}`]), String(kind));
    at("symbols").hidden = kind < 0;
    if (kind >= 0) constellation(seen.scatters[kind]);
    histogram(seen.llr);
    overTime(seen);
  };
  at("channel").addEventListener("change", () => semlink.selectPoint(at("channel").value));
  at("kind").addEventListener("change", () => { kind = Number(at("kind").value); draw(); });
  semlink.onPoint(() => { kind = 0; draw(); });
  semlink.onTheme(draw);
})();
