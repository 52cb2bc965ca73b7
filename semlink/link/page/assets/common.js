"use strict";
/* What every section of the page shares: its data, the schemes that are shown, the point that is selected, colours.

   semlink.data(name)            what Python gave the section of that name, null without
   semlink.schemes()             [{name, run, colour, symbol, dash, bound, genie, on}] in the order of the page
                                 `bound` is "", "bound", or says on what else it is one
   semlink.scheme(name)          one of them
   semlink.onSchemes(callback)   called after schemes were switched on or off
   semlink.points()              [{key, scheme, channel, snr_db, budget, rate, cost, ledger, psnr_db, bler, note, ...}]
   semlink.point(key)            one of them
   semlink.selectPoint(key)      selects a point; null selects none
   semlink.selected()            its key, or null
   semlink.onPoint(callback)     called with the key after another point was selected, and once when all is ready
   semlink.onTheme(callback)     called after the page turned dark or light, and before and after it is printed
   semlink.isPrinting()          whether it is drawn for paper: light, and no wider than PAPER
   semlink.metric(column)        {column, label, title, unit, decimals, over_noise, over_clips, higher_is_better}
   semlink.colour(scheme)        its colour on the present background
   semlink.css(name)             a custom property of the style, such as "--ink"
   semlink.element(tag, properties, ...children)   an element; strings among the children become text
   semlink.swatch(scheme)        a small picture of its line and marker
   semlink.plotText(text)        a text as it is, where the plotting library would take parts of it for marks
*/
const semlink = (() => {
  const data = (name) => {
    const found = document.getElementById(`data-${name}`);
    return found ? JSON.parse(found.textContent) : null;
  };
  const page = data("page");
  const schemes = page.schemes.map((scheme) => ({ ...scheme, on: true }));
  const byName = new Map(schemes.map((scheme) => [scheme.name, scheme]));
  const byKey = new Map(page.points.map((point) => [point.key, point]));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const told = { schemes: [], point: [], theme: [] };
  const tell = (what, ...words) => told[what].forEach((callback) => callback(...words));
  let chosen = null;
  let printing = false;

  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && name !== "list") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const styles = new Map(); // asked for thousands of times, and each question would have the page laid out anew
  const css = (name) => {
    const key = `${name} ${isDark()}`;
    if (!styles.has(key)) styles.set(key, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return styles.get(key);
  };
  const onDark = { "#000000": "#e8e8e8", "#0072B2": "#3f8fe8", "#56B4E9": "#9fdcfa", "#009E73": "#2cc295" };
  const isDark = () => dark.matches && !printing;
  const colour = (scheme) => (isDark() && onDark[scheme.colour]) || scheme.colour;
  const plotText = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const selectPoint = (key) => {
    if (key === chosen || (key !== null && !byKey.has(key))) return;
    chosen = key;
    tell("point", key);
  };
  const print = (on) => {
    if (printing === on) return;
    printing = on;
    document.documentElement.classList.toggle("printing", on);
    tell("theme");
  };

  dark.addEventListener("change", () => tell("theme"));
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  return {
    PAPER: 680,
    data,
    schemes: () => schemes,
    scheme: (name) => byName.get(name),
    show: (names, on) => {
      names.forEach((name) => { byName.get(name).on = on; });
      tell("schemes");
    },
    onSchemes: (callback) => told.schemes.push(callback),
    points: () => page.points,
    point: (key) => byKey.get(key) || null,
    selectPoint,
    selected: () => chosen,
    onPoint: (callback) => told.point.push(callback),
    onTheme: (callback) => told.theme.push(callback),
    isDark,
    isPrinting: () => printing,
    metrics: page.metrics,
    metric: (column) => page.metrics.find((metric) => metric.column === column),
    firstMetric: page.metric,
    snrName: page.snr,
    costNames: page.costs,
    groups: page.groups,
    colour,
    css,
    element,
    plotText,
  };
})();

/* A scheme's line and marker, as charts draw them. */
semlink.swatch = (() => {
  const DASHES = { solid: "", dash: "5 3", dashdot: "6 2 1.5 2", longdashdot: "9 2 2 2", dot: "1.5 2.5" };
  const star = (corners, inner, turn) =>
    Array.from({ length: corners * 2 }, (_, n) => {
      const angle = (Math.PI * n) / corners - Math.PI / 2 + turn;
      const far = n % 2 ? inner : 4.6;
      return `${(16 + far * Math.cos(angle)).toFixed(2)},${(7 + far * Math.sin(angle)).toFixed(2)}`;
    }).join(" ");
  const even = (corners, turn = 0) => star(corners, 4.6 * Math.cos(Math.PI / corners), turn);
  const SHAPES = {
    square: "12.3,3.3 19.7,3.3 19.7,10.7 12.3,10.7",
    diamond: "16,2 21,7 16,12 11,7",
    "triangle-up": "16,2.2 20.8,10.6 11.2,10.6",
    "triangle-down": "16,11.8 20.8,3.4 11.2,3.4",
    "triangle-left": "11.2,7 19.6,2.2 19.6,11.8",
    "triangle-right": "20.8,7 12.4,2.2 12.4,11.8",
    cross: "14.4,2.4 17.6,2.4 17.6,5.4 20.6,5.4 20.6,8.6 17.6,8.6 17.6,11.6 14.4,11.6 14.4,8.6 11.4,8.6 11.4,5.4 14.4,5.4",
    x: "13,2.6 16,5.4 19,2.6 20.6,4.2 17.7,7 20.6,9.8 19,11.4 16,8.6 13,11.4 11.4,9.8 14.3,7 11.4,4.2",
    pentagon: even(5),
    hexagon: even(6),
    star: star(5, 1.9, 0),
  };
  const drawn = (tag, properties) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(properties).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  };
  return (scheme) => {
    const open = scheme.symbol.endsWith("-open");
    const kind = scheme.symbol.replace("-open", "");
    const colour = semlink.colour(scheme);
    const paint = { fill: open ? semlink.css("--paper") : colour, stroke: colour, "stroke-width": 1.4 };
    const picture = drawn("svg", { viewBox: "0 0 32 14", width: 32, height: 14, class: "swatch", "aria-hidden": "true" });
    const width = scheme.genie ? 3 : 2;
    const line = { x1: 0, x2: 32, y1: 7, y2: 7, stroke: colour, "stroke-width": width, "stroke-dasharray": DASHES[scheme.dash] };
    const shape = SHAPES[kind] ? drawn("polygon", { points: SHAPES[kind], ...paint }) : drawn("circle", { cx: 16, cy: 7, r: 4, ...paint });
    picture.append(drawn("line", line), shape);
    return picture;
  };
})();

/* The switches of the schemes. */
(() => {
  const { element } = semlink;
  const bar = document.getElementById("schemes");
  const chips = new Map();
  const button = (text, on) => {
    const made = element("button", { type: "button", className: "small" }, text);
    made.addEventListener("click", () => semlink.show(semlink.schemes().map((scheme) => scheme.name), on));
    return made;
  };
  const draw = () => {
    for (const scheme of semlink.schemes()) {
      const { box, picture } = chips.get(scheme.name);
      box.checked = scheme.on;
      picture.replaceChildren(semlink.swatch(scheme));
    }
  };
  for (const scheme of semlink.schemes()) {
    const box = element("input", { type: "checkbox", checked: true });
    const picture = element("span", {});
    const tags = [scheme.bound, scheme.genie ? `genie: ${scheme.genie}` : ""].filter(Boolean);
    box.addEventListener("change", () => semlink.show([scheme.name], box.checked));
    chips.set(scheme.name, { box, picture });
    const name = element("bdi", { className: "name", title: scheme.name }, scheme.name);
    bar.append(element("label", { className: "chip" }, box, picture, name, ...tags.map((tag) => element("small", {}, tag))));
  }
  if (semlink.schemes().length > 2) bar.append(button("all", true), button("none", false));
  semlink.onSchemes(draw);
  semlink.onTheme(draw);
  draw();
})();
