"use strict";
/* What every section of the page shares: its data, the schemes that are shown, the point that is selected, colours.

   semlink.data(name)            what Python gave the section of that name, null without
   semlink.schemes()             [{name, run, colour, symbol, dash, bound, genie, on}] in the order of the page
   semlink.scheme(name)          one of them
   semlink.onSchemes(callback)   called after schemes were switched on or off
   semlink.points()              [{key, scheme, channel, snr_db, budget, rate}]
   semlink.point(key)            one of them
   semlink.selectPoint(key)      selects a point; null selects none
   semlink.selected()            its key, or null
   semlink.onPoint(callback)     called with the key after another point was selected
   semlink.onTheme(callback)     called after the page turned dark or light
   semlink.colour(scheme)        its colour on the present background
   semlink.css(name)             a custom property of the style, such as "--ink"
   semlink.element(tag, properties, ...children)   an element; strings among the children become text
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

  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && name !== "list") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const onDark = { "#000000": "#e8e8e8", "#0072B2": "#4aa8e0" };
  const colour = (scheme) => (dark.matches && onDark[scheme.colour]) || scheme.colour;
  const plotText = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const selectPoint = (key) => {
    if (key !== null && !byKey.has(key)) return;
    chosen = key;
    tell("point", key);
  };
  const show = (name, on) => {
    byName.get(name).on = on;
    tell("schemes");
  };

  dark.addEventListener("change", () => tell("theme"));
  return {
    data,
    schemes: () => schemes,
    scheme: (name) => byName.get(name),
    show,
    onSchemes: (callback) => told.schemes.push(callback),
    points: () => page.points,
    point: (key) => byKey.get(key) || null,
    selectPoint,
    selected: () => chosen,
    onPoint: (callback) => told.point.push(callback),
    onTheme: (callback) => told.theme.push(callback),
    isDark: () => dark.matches,
    metric: page.metric,
    colour,
    css,
    element,
    plotText,
  };
})();

/* The switches of the schemes. */
(() => {
  const { element } = semlink;
  const bar = document.getElementById("schemes");
  for (const scheme of semlink.schemes()) {
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => semlink.show(scheme.name, box.checked));
    bar.append(element("label", { className: "chip" }, box, element("bdi", {}, scheme.name)));
  }
})();
