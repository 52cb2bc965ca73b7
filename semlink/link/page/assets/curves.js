"use strict";
/* Quality over cost or SNR: the controls, the charts, and the card of the selected point. */
(() => {
  const { element, panels, say } = semlink;
  const { state } = panels;
  const place = document.getElementById("curve-panels");
  const under = document.getElementById("curve-notes");
  const card = document.getElementById("point-card");
  const spoken = document.getElementById("point-spoken");
  const metric = () => semlink.metric(state.metric);
  const clear = (colour, share) => {
    const [r, g, b] = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
    return `rgba(${r},${g},${b},${share})`;
  };

  /* controls */
  const controls = document.getElementById("controls");
  const choice = (label, values, name, wordOf, parse) => {
    const made = element("select", {}, ...values.map((value) => element("option", { value: JSON.stringify(value) }, wordOf(value))));
    made.value = JSON.stringify(state[name]);
    made.addEventListener("change", () => panels.change({ [name]: parse(JSON.parse(made.value)) }));
    const whole = element("label", { className: "control" }, element("span", {}, label), made);
    return { whole, refresh: () => { made.value = JSON.stringify(state[name]); } };
  };
  const tick = (label, name) => {
    const box = element("input", { type: "checkbox", checked: Boolean(state[name]) });
    box.addEventListener("change", () => panels.change({ [name]: box.checked }));
    return { whole: element("label", { className: "control tick" }, box, label), refresh: () => { box.checked = Boolean(state[name]); } };
  };
  const kept = (value) => value;
  const made = {
    axis: panels.axes.length > 1 && choice("over", panels.axes, "axis", (axis) => ({ cost: "cost", snr: "SNR" })[axis], kept),
    metric: semlink.metrics.length > 1 && choice("quality", semlink.metrics.map(({ column }) => column), "metric", (column) => semlink.metric(column).title, kept),
    channel: panels.channels.length > 1 && choice("channel", [null, ...panels.channels], "channel", (channel) => channel ?? "all", kept),
    snr_db: panels.snrs.length > 1 && choice("SNR", [null, ...panels.snrs], "snr_db", (snr) => (snr === null ? "all" : `${say.number(snr)} dB`), kept),
    budget: panels.budgets.length > 1 && choice("budget", [null, ...panels.budgets], "budget", (budget) => (budget === null ? "all" : `${say.number(budget)} uses per pixel`), kept),
    log: choice("cost axis", [null, true, false], "log", (log) => ({ null: "as fits", true: "logarithmic", false: "linear" })[String(log)], kept),
    noise: tick("intervals over noise", "noise"),
    clips: tick("over clips", "clips"),
  };
  for (const control of Object.values(made).filter(Boolean)) controls.append(control.whole);
  const refresh = () => {
    Object.values(made).filter(Boolean).forEach((control) => control.refresh());
    const over = state.axis === "snr";
    [[made.snr_db, over], [made.log, over], [made.budget, !over]].forEach(([control, hidden]) => { if (control) control.whole.hidden = hidden; });
  };

  /* charts */
  const range = (all) => {
    const values = [];
    for (const line of all.flatMap((panel) => panel.lines)) for (const point of line.points) {
      const value = point[state.metric];
      if (value !== undefined) values.push([value, (state.clips && point[metric().over_clips]) || (state.noise && point[metric().over_noise]) || 0]);
    }
    if (!values.length) return undefined;
    const [low, high] = [Math.min(...values.map(([v]) => v)), Math.max(...values.map(([v]) => v))];
    const span = high - low || Math.abs(high) || 1;
    const reach = (sign) => Math.max(0, ...values.map(([v, half]) => (sign > 0 ? v + half - high : low - v + half)));
    return [low - Math.min(reach(-1), 0.6 * span) - 0.09 * span, high + Math.min(reach(1), 0.6 * span) + 0.05 * span];
  };
  const bars = (points, column, colour, look) => ({
    type: "data", array: points.map((point) => point[column] ?? 0), color: colour, ...look,
  });
  const traceOf = (line, height) => {
    const scheme = line.scheme;
    const colour = semlink.colour(scheme);
    const drawn = line.points.filter((point) => point[state.metric] !== undefined);
    const x = drawn.map(panels.x);
    const y = drawn.map((point) => point[state.metric]);
    const found = [];
    if (state.clips) {
      const wide = bars(drawn, metric().over_clips, clear(colour, 0.2), { thickness: 5, width: 0 });
      found.push({ x, y, error_y: wide, mode: "markers", marker: { opacity: 0 }, hoverinfo: "skip" });
    }
    found.push({
      x, y, mode: "lines+markers", name: semlink.plotText(line.label),
      line: { color: colour, dash: scheme.dash, width: scheme.genie ? 3.4 : 2 },
      marker: { color: colour, symbol: scheme.symbol, size: 8.5, line: { color: colour, width: scheme.bound ? 1.6 : 0 } },
      error_y: state.noise ? bars(drawn, metric().over_noise, colour, { thickness: 1.4, width: 3 }) : { visible: false },
      hoverinfo: "text",
      hovertext: drawn.map((point) => say.hover(point, metric())),
      customdata: drawn.map((point) => point.key),
    });
    const rest = line.points.filter((point) => point[state.metric] === undefined);
    const lossless = (point) => (point.lossless || []).includes(state.metric);
    if (rest.length) {
      found.push({
        x: rest.map(panels.x), y: rest.map((point) => (lossless(point) ? 0.975 - height(point) : 0.02 + height(point))),
        yaxis: "y2", mode: "markers", hoverinfo: "text", customdata: rest.map((point) => point.key),
        marker: { color: colour, size: 8, symbol: rest.map((point) => (lossless(point) ? "arrow-up" : "x-thin-open")), line: { width: 2, color: colour } },
        hovertext: rest.map((point) => say.hover(point, metric())),
      });
    }
    return found;
  };
  const ring = (panel) => {
    const chosen = semlink.point(semlink.selected());
    const here = chosen && panel.lines.some((line) => line.points.includes(chosen)) && chosen[state.metric] !== undefined;
    return {
      x: here ? [panels.x(chosen)] : [], y: here ? [chosen[state.metric]] : [], mode: "markers", hoverinfo: "skip",
      marker: { symbol: "circle-open", size: 18, color: semlink.css("--ink"), line: { width: 2 } },
    };
  };
  const labels = (panel) =>
    panel.lines.filter((line) => line.rate !== null).map((line) => {
      const last = [...line.points].reverse().find((point) => point[state.metric] !== undefined);
      return last && {
        x: panels.x(last), y: last[state.metric], text: semlink.plotText(line.label), showarrow: false, xanchor: "right", yanchor: "bottom", font: { size: 11 },
      };
    }).filter(Boolean);
  const chartOf = (panel, all) => {
    const heap = new Map();
    const height = (point) => {
      const key = `${panels.x(point)} ${say.isSent(point)}`;
      heap.set(key, (heap.get(key) ?? -1) + 1);
      return 0.032 * heap.get(key);
    };
    const traces = [...panel.lines.flatMap((line) => traceOf(line, height)), ring(panel)];
    const layout = {
      xaxis: panels.xaxis(panel),
      yaxis: { title: { text: semlink.plotText(metric().label) }, range: range(all) },
      yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
      annotations: labels(panel),
    };
    const over = state.axis === "snr" ? "SNR" : "cost";
    const words = `${metric().label} over ${over}, ${panel.title}: ${panel.lines.map((line) => line.label).join(", ")}. Arrow keys go from point to point; the numbers are in the table of all points.`;
    return [traces, layout, words];
  };

  const half = (point) => Math.max((state.clips && point[metric().over_clips]) || 0, (state.noise && point[metric().over_noise]) || 0);
  const isCut = (all) => {
    const [low, high] = range(all) || [-Infinity, Infinity];
    return all.some((panel) => panel.lines.some((line) => line.points.some((point) => point[state.metric] - half(point) < low || point[state.metric] + half(point) > high)));
  };
  /* Names of schemes whose curves cannot be told apart in any panel that has both. */
  const together = (all) => {
    const [low, high] = range(all) || [0, 1];
    const far = (one, other) => {
      const found = all.flatMap((panel) => {
        const [a, b] = [one, other].map((name) => panel.lines.find((line) => line.scheme.name === name));
        return a && b ? a.points.map((point, n) => (b.points[n] ? Math.abs((point[state.metric] ?? 0) - (b.points[n][state.metric] ?? 0)) : 0)) : [];
      });
      return found.length ? Math.max(...found) : Infinity;
    };
    const groups = [];
    for (const name of new Set(all.flatMap((panel) => panel.lines.filter((line) => line.rate === null).map((line) => line.scheme.name)))) {
      const home = groups.find(([first]) => far(first, name) < 0.004 * (high - low));
      if (home) home.push(name);
      else groups.push([name]);
    }
    return groups.filter((group) => group.length > 1);
  };

  /* what is said below */
  const notes = (shown, left) => {
    const points = shown.flatMap((panel) => panel.lines.flatMap((line) => line.points));
    const lines = [];
    if (left) lines.push(`${left} more panel${left === 1 ? " is" : "s are"} not drawn; choose a channel, an SNR or a budget above.`);
    const cut = isCut(shown) ? ", cut off where they leave the axis" : "";
    const [one, all, what] = state.axis === "snr" ? [state.budget, panels.budgets, "budgets"] : [state.snr_db, panels.snrs, "SNRs"];
    if (one !== null && all.length > 1) lines.push(`One of ${all.length} ${what} is drawn; the others, or all, are chosen above.`);
    if (state.noise) lines.push(`Bars with ends: 95 % interval of the mean over noise, clips held fixed${cut}.`);
    if (state.clips) lines.push("Light bars: 95 % interval of the mean over clips. It is wide where clips differ; whether one scheme is better is in the paired differences below.");
    const drawn = semlink.schemes().filter(({ name }) => points.some((point) => point.scheme === name));
    if (drawn.some(({ bound }) => bound === "bound")) lines.push("Dashed with hollow markers: an idealised bound that no receiver reaches.");
    for (const { name, bound } of drawn) if (bound && bound !== "bound") lines.push(`Dotted with hollow markers: ${name}, a ${bound}, none on the ${metric().title} that is drawn.`);
    if (points.some((point) => point.genie)) lines.push("Wide lines: a receiver that is told what no receiver could know (genie).");
    if (points.some((point) => (point.lossless || []).includes(state.metric))) lines.push("Arrows at the head: without any error.");
    if (state.axis === "snr" && points.some((point) => point.budget !== null && point.budget !== undefined)) lines.push("Over SNR, schemes are held to one budget; what each point really costs is under the pointer.");
    for (const names of together(shown)) lines.push(`On top of each other: ${names.join(", ")}.`);
    if (!metric().higher_is_better) lines.push("Lower is better.");
    under.replaceChildren(...lines.map((line) => element("li", {}, line)));
    const lacking = points.filter((point) => !say.isSent(point));
    const rows = lacking.map((point) => element("tr", {}, element("td", {}, element("bdi", {}, point.scheme)), element("td", {}, say.place(point)), element("td", { className: "words" }, element("span", {}, point.note || "no quality"))));
    document.getElementById("not-sent").hidden = !lacking.length;
    document.querySelector("#not-sent summary").textContent = `${lacking.length} point${lacking.length === 1 ? "" : "s"} could not be sent: crosses at the foot`;
    document.querySelector("#not-sent tbody").replaceChildren(...rows);
  };

  const tell = () => {
    const point = semlink.point(semlink.selected());
    card.hidden = !point;
    if (!point) return;
    const value = point[state.metric] === undefined ? (say.isSent(point) ? "" : "not sent") : say.quality(point[state.metric], metric());
    spoken.textContent = [point.scheme, point.channel, say.place(point), value].filter(Boolean).join(", ");
    const facts = say.facts(point, metric()).flatMap(([word, what]) => [element("dt", {}, word), element("dd", {}, element("bdi", {}, what))]);
    const head = element("h3", {}, semlink.swatch(semlink.scheme(point.scheme)), " ", element("bdi", {}, point.scheme));
    card.replaceChildren(element("p", { className: "quiet" }, "Selected point"), head, element("dl", {}, ...facts));
  };
  let known = "";
  const draw = () => {
    refresh();
    const { panels: shown, left } = panels.draw(place, chartOf);
    notes(shown, left);
    tell();
    known = semlink.selected();
  };
  panels.onChange(draw);
  semlink.onSchemes(draw);
  semlink.onTheme(draw);
  semlink.onPoint((key) => {
    tell();
    if (key === known) return;
    known = key;
    [...place.querySelectorAll(".chart")].forEach((chart) => {
      const { x, y } = ring(chart.panel);
      Plotly.restyle(chart, { x: [x], y: [y] }, [chart.data.length - 1]);
    });
  });
  draw();
})();
