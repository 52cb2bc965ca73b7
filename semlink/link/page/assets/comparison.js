"use strict";
/* Every scheme against one that is chosen, of each group of folders with the same clips: paired differences at points,
   averages over curves. */
(() => {
  const { element, panels, say } = semlink;
  const { references, metric: column, clips, motions } = semlink.data("comparison");
  if (!references.length) return;
  const metric = semlink.metric(column);
  const place = document.getElementById("gap-panels");
  const groups = [...new Set(references.map(({ group }) => group))];
  const chosen = new Map(groups.map((group) => [group, references.find((one) => one.group === group)]));
  const isReference = (scheme) => [...chosen.values()].some(({ name }) => name === scheme);
  semlink.isReference = isReference;
  for (const group of groups) {
    const mine = references.filter((one) => one.group === group);
    const made = element("select", {}, ...mine.map(({ name }) => element("option", { value: name }, name)));
    made.addEventListener("change", () => {
      chosen.set(group, mine[made.selectedIndex]);
      draw();
    });
    const label = groups.length > 1 || semlink.groups.length > 1 ? `${semlink.groups[group]}: against` : "against";
    document.getElementById("references").append(element("label", { className: "control" }, element("span", { dir: "auto" }, label), made));
  }
  const allPoints = () => [...chosen.values()].flatMap(({ points }) => points);

  const better = metric.higher_is_better ? 1 : -1;
  const verdict = (mean, half) => {
    if (half === null || half === undefined) return ["", "not known"];
    if (Math.abs(mean) <= half) return ["\u25cb", "not sure"];
    return mean * better > 0 ? ["\u25b2", "surely better"] : ["\u25bc", "surely worse"];
  };
  const cell = (words, properties = {}) => element("td", properties, words);
  const judged = (mean, half, words) => {
    if (mean === null || mean === undefined) return cell("");
    const [sign, said] = verdict(mean, half);
    return cell(element("span", { className: said.replace(" ", "-"), title: said }, words, sign && " ", sign));
  };
  const name = (scheme) => element("td", {}, semlink.swatch(semlink.scheme(scheme)), " ", element("bdi", {}, scheme));
  const isOn = (scheme) => semlink.scheme(scheme).on;

  /* chart of paired differences */
  const byKey = () => new Map(allPoints().map((point) => [point.key, point]));
  const apart = (panel, isLog) => {
    const scale = isLog ? Math.log10 : (value) => value;
    const places = [...new Set(panel.lines.flatMap((line) => line.points.map((point) => scale(panels.x(point)))))].sort((a, b) => a - b);
    const whole = (places[places.length - 1] - places[0]) || 1;
    const gaps = places.slice(1).map((place, n) => place - places[n]).filter((gap) => gap > 0.04 * whole);
    const step = Math.min(0.4 * Math.min(...gaps, whole), 0.09 * whole) / Math.max(panel.lines.length, 4);
    return (point, number) => {
      const moved = scale(panels.x(point)) + step * (number - (panel.lines.length - 1) / 2);
      return isLog ? 10 ** moved : moved;
    };
  };
  const chartOf = (panel, all) => {
    const axis = panels.xaxis(panel);
    const drawnLines = panel.lines.filter((line) => !isReference(line.scheme.name));
    const at = apart({ lines: drawnLines }, axis.type === "log");
    const gaps = byKey();
    const has = (point) => gaps.has(point.key) && gaps.get(point.key).mean !== undefined;
    const traces = [];
    for (const [number, line] of drawnLines.entries()) {
      const drawn = line.points.filter(has);
      if (!drawn.length) continue;
      const colour = semlink.colour(line.scheme);
      const found = drawn.map((point) => gaps.get(point.key));
      const x = drawn.map((point) => at(point, number));
      const y = found.map((gap) => gap.mean);
      const bars = (part, look) => ({ type: "data", array: found.map((gap) => gap[part] ?? 0), color: colour, ...look });
      const under = found.map((gap, n) => say.hover(drawn[n], metric, ...said(gap)));
      traces.push(
        { x, y, mode: "markers", marker: { opacity: 0 }, hoverinfo: "skip", opacity: 0.45, error_y: bars("over_clips", { thickness: 1.2, width: 4 }) },
        {
          x, y, mode: "lines+markers", hoverinfo: "text", hovertext: under, customdata: drawn.map((point) => point.key),
          line: { color: colour, dash: line.scheme.dash, width: 1.6 }, marker: { color: colour, symbol: line.scheme.symbol, size: 8, line: { color: colour, width: line.scheme.bound ? 1.6 : 0 } },
          error_y: bars("over_noise", { thickness: 2.4, width: 0 }),
        },
      );
    }
    const label = `${metric.title} less that of the reference${metric.unit ? ` [${metric.unit}]` : ""}`;
    const layout = { xaxis: axis, yaxis: { title: { text: semlink.plotText(label), font: { size: 12.5 } }, zeroline: true, zerolinewidth: 2 } };
    if (!all.flatMap((one) => one.lines).some((line) => line.points.some(has))) layout.height = 80;
    return [traces, layout, `${label}, ${panel.title}; the numbers are in the tables below.`];
  };
  const said = (gap) => {
    const parts = [`difference: ${say.signed(gap.mean, metric)}${say.unit(metric)}`];
    if (gap.over_clips !== null) parts.push(`${say.half(gap.over_clips, metric)} over clips and noise, ${verdict(gap.mean, gap.over_clips)[1]}`);
    if (gap.over_noise !== null) parts.push(`${say.half(gap.over_noise, metric)} over noise alone`);
    if (gap.note) parts.push(gap.note);
    return parts;
  };

  /* tables */
  const percent = (x) => `${x > 0 ? "+" : ""}${x.toFixed(1)} %`.replace("-", say.MINUS);
  const curveRow = (curve) => {
    const rated = curve.rate === null ? cell("") : ratedCell(curve);
    const [low, high] = curve.costs;
    const over = low === null ? "" : `${say.number(low, 3)} to ${say.number(high, 3)}`;
    const words = curve.quality === null ? "" : `${say.signed(curve.quality, metric)} ${say.half(curve.quality_clips, metric)}`;
    return element("tr", {}, name(curve.scheme), cell(curve.channel), cell(say.number(curve.snr_db)),
      judged(curve.quality, curve.quality_clips, words), rated, cell(over), cell(element("span", {}, curve.note), { className: "words" }));
  };
  const ratedCell = ({ rate, rate_clips: [low, high] }) => {
    if (low === null) return cell(percent(rate));
    const [sign, words] = low <= 0 && high >= 0 ? ["\u25cb", "not sure"] : rate < 0 ? ["\u25b2", "surely better"] : ["\u25bc", "surely worse"];
    return cell(element("span", { className: words.replace(" ", "-"), title: words }, `${percent(rate)} (${percent(low)} to ${percent(high)}) ${sign}`));
  };
  const pointRow = (gap) => {
    const point = semlink.point(gap.key);
    const row = element("tr", {}, name(point.scheme), cell(point.channel), cell(say.place(point)));
    if (gap.mean === undefined) row.append(cell(element("span", {}, gap.note || ""), { colSpan: 3 + motions.length, className: "words" }));
    else {
      row.append(judged(gap.mean, gap.over_clips, `${say.signed(gap.mean, metric)} ${say.half(gap.over_clips, metric)}`), cell(say.half(gap.over_noise, metric)));
      for (const motion of motions) {
        const part = gap.by_motion[motion];
        row.append(part ? judged(part.mean, part.over_clips, `${say.signed(part.mean, metric)} ${say.half(part.over_clips, metric)}`) : cell(""));
      }
      row.append(cell(element("span", {}, gap.note || ""), { className: "words" }));
    }
    row.classList.toggle("chosen", gap.key === semlink.selected());
    row.addEventListener("click", () => semlink.selectPoint(gap.key));
    return row;
  };
  const fill = (id, rows, words) => {
    const table = document.querySelector(`table#${id}, #${id} table`);
    table.querySelector("tbody").replaceChildren(...rows);
    if (words) table.querySelector("thead").replaceChildren(element("tr", {}, ...words.map((word) => element("th", { scope: "col", className: word === "note" ? "text" : "" }, word))));
    semlink.say.dropEmpty(table);
  };

  /* clip by clip, at the selected point */
  const byClip = () => {
    const gap = byKey().get(semlink.selected());
    const point = semlink.point(semlink.selected());
    const box = document.getElementById("by-clip");
    const has = gap && gap.mean !== undefined;
    box.querySelector("table").hidden = !has;
    const words = !point ? "" : isReference(point.scheme) ? "The selected point is of the reference itself; select one of another scheme." : has ? "" : `No paired difference at the selected point${gap && gap.note ? `: ${gap.note}` : ""}.`;
    box.querySelector("p").replaceChildren(has ? element("span", {}, element("bdi", {}, point.scheme), ` at ${say.place(point)} less `, element("bdi", {}, chosen.get(point.group).name), ":") : words);
    if (!has) return;
    const most = Math.max(...Object.values(gap.by_clip).map(Math.abs), 1e-9);
    fill("by-clip", clips.filter(([clip]) => clip in gap.by_clip).map(([clip, motion]) => {
      const mean = gap.by_clip[clip];
      const bar = element("span", { className: "bar" }, element("span", {}));
      bar.firstChild.style.width = `${(50 * Math.abs(mean)) / most}%`;
      bar.firstChild.style[mean < 0 ? "right" : "left"] = "50%";
      return element("tr", {}, cell(element("bdi", {}, clip)), cell(motion), cell(say.signed(mean, metric)), element("td", { className: "bars", "aria-hidden": "true" }, bar));
    }));
  };
  const MOST = 150;
  let whole = false;
  const draw = () => {
    panels.draw(place, chartOf, 360, (panel) => chosen.has(panel.place.group));
    const unit = metric.unit ? ` [${metric.unit}]` : "";
    const averages = ["scheme", "channel", "SNR [dB]", `BD-${metric.title}${unit}`, "BD-rate", "over costs", "note"];
    const curves = [...chosen.values()].flatMap((reference) => reference.curves).filter((curve) => isOn(curve.scheme));
    const known = curves.filter((curve) => curve.quality !== null || curve.rate !== null);
    fill("curve-gaps", known.map(curveRow), averages);
    document.getElementById("curve-gaps").hidden = !known.length;
    const why = new Map();
    for (const curve of curves.filter((one) => !known.includes(one))) why.set(curve.note, (why.get(curve.note) || 0) + 1);
    document.getElementById("no-curves").replaceChildren(...[...why].map(([note, count]) => element("li", {}, `No average for ${count} curve${count === 1 ? "" : "s"}: ${note}.`)));
    const shown = allPoints().filter((gap) => isOn(semlink.point(gap.key).scheme));
    const differences = ["scheme", "channel", "point", `difference${unit}`, "noise alone", ...motions, "note"];
    fill("point-gaps", shown.slice(0, whole ? undefined : MOST).map(pointRow), differences);
    const more = document.getElementById("more-gaps");
    more.hidden = whole || shown.length <= MOST;
    more.textContent = `show all ${shown.length} (${MOST} are shown)`;
    byClip();
  };
  document.getElementById("more-gaps").addEventListener("click", () => { whole = true; draw(); });
  panels.onChange(draw);
  semlink.onSchemes(draw);
  semlink.onTheme(draw);
  semlink.onPoint(() => {
    byClip();
    const rows = document.querySelectorAll("#point-gaps tbody tr");
    const shown = allPoints().filter((gap) => isOn(semlink.point(gap.key).scheme));
    rows.forEach((row, number) => row.classList.toggle("chosen", shown[number].key === semlink.selected()));
  });
  draw();
})();
