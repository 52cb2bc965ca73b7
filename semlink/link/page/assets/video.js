"use strict";
/* Clips side by side: the panels, playing in step, what lies over the pictures, curves over the frames, and the wipe. */
(() => {
  const data = semlink.data("video");
  if (!data) return;
  const { element, say } = semlink;
  const get = (id) => document.getElementById(id);
  const SOURCE = "source";
  const SPEEDS = [1, 2, 5, 10, 12, 25, 50];
  const LOW_DB = -50;
  const HIGH_DB = -10;
  const HEAT = [[0, 0, 0], [63, 15, 114], [150, 44, 128], [222, 73, 104], [254, 159, 109], [252, 253, 191]];
  const COOL = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const OVERLAYS = { none: "the picture alone", errors: "squared error", counts: "sensor's ratio map", uses: "rate map" };
  const films = new Map(Object.entries(data.films));
  const keys = [...films.keys()];
  const state = { frame: 0, playing: false, fps: 12, overlay: "none", edge: 0.5, left: SOURCE, right: null, panels: [] };
  const decoded = new Map();
  const filmOf = (key) => (key.startsWith(`${SOURCE}:`) ? data.sources[key.slice(SOURCE.length + 1)] : films.get(key));
  const pointOf = (key) => semlink.point(key);
  const nameOf = (key) => (pointOf(key) ? pointOf(key).scheme : "source");
  const lengthOf = () => Math.max(1, ...state.panels.map((panel) => filmOf(panel.key).shape[0]));
  const clear = (list) => list.filter((found) => found !== null && found !== undefined);

  /* Colours of a share between 0 and 1. */
  const shade = (stops, share) => {
    const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((from, n) => from + (at - low) * (stops[low + 1][n] - from));
  };
  const painted = (rows, columns, colourOf) => {
    const image = new ImageData(columns, rows);
    for (let n = 0; n < rows * columns; n += 1) image.data.set(colourOf(n), 4 * n);
    const canvas = element("canvas", { width: columns, height: rows });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };
  const levels = new WeakMap();
  const errorsOf = (film) => {
    if (!levels.has(film)) levels.set(film, Uint8Array.from(atob(film.errors), (sign) => sign.charCodeAt(0)));
    return levels.get(film);
  };
  const errorDb = (film, frame, cell) => -data.step_db * errorsOf(film)[frame * film.cells[0] * film.cells[1] + cell];

  /* What lies over a frame: a small canvas, and how many pixels of the picture one of its own stands for. */
  const flat = (film, name) => film[name].flat();
  const rangeOf = (name) => {
    const all = state.panels.map((panel) => filmOf(panel.key)).filter((film) => film[name]).flatMap((film) => flat(film, name));
    return all.length ? [name === "uses" ? 0 : Math.min(...all), Math.max(...all)] : null;
  };
  const overlay = (film, frame) => {
    const height = film.shape[1] / film.planes;
    const width = film.shape[2];
    if (state.overlay === "errors" && film.errors) {
      const [rows, columns] = film.cells;
      const share = (n) => (errorDb(film, Math.min(frame, film.shape[0] - 1), n) - LOW_DB) / (HIGH_DB - LOW_DB);
      const small = painted(rows, columns, (n) => [...shade(HEAT, share(n)), 215]);
      return [small, columns * film.block, rows * film.block];
    }
    const range = state.overlay in OVERLAYS && film[state.overlay] && state.overlay !== "errors" ? rangeOf(state.overlay) : null;
    if (!range) return null;
    const map = film[state.overlay];
    const share = (value) => (value - range[0]) / (range[1] - range[0] || 1);
    if (state.overlay === "uses") {
      const side = Math.ceil(width / map[0].length);
      return [painted(map.length, map[0].length, (n) => [...shade(COOL, share(map[Math.floor(n / map[0].length)][n % map[0].length])), 150]), side * map[0].length, side * map.length];
    }
    const at = (n) => map[Math.floor(n / width) % map.length][(n % width) % map[0].length];
    return [painted(height, width, (n) => [...shade(COOL, share(at(n))), 150]), width, height];
  };
  const lay = (canvas, film, frame) => {
    const found = overlay(film, frame);
    canvas.hidden = !found;
    if (!found) return;
    const [small, width, height] = found;
    canvas.width = film.shape[2];
    canvas.height = film.shape[1] / film.planes;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, width, height);
  };
  const legend = () => {
    const place = get("film-legend");
    const range = state.overlay === "errors" ? [LOW_DB, HIGH_DB] : rangeOf(state.overlay);
    place.hidden = state.overlay === "none" || !range;
    if (place.hidden) return;
    const scale = painted(1, 100, (n) => [...shade(state.overlay === "errors" ? HEAT : COOL, n / 99), 255]);
    const blocks = [...new Set(state.panels.map((panel) => filmOf(panel.key).block).filter(Boolean))].join(" or ");
    const words = {
      errors: ["less", `${LOW_DB}\u00a0dB`.replace("-", say.MINUS), `${HIGH_DB}\u00a0dB`.replace("-", say.MINUS), `mean squared error of ${blocks} x ${blocks} pixels as received, the same scale everywhere; pixels are 0 to 1, so that 10 dB of PSNR is ${say.MINUS}10 dB here`],
      counts: ["", say.number(range[0]), say.number(range[1]), "readings of each pixel that the sensor takes"],
      uses: ["", say.number(range[0]), say.number(range[1]), "channel uses of a block"],
    }[state.overlay];
    scale.setAttribute("aria-hidden", "true");
    place.replaceChildren(element("span", {}, words[1]), scale, element("span", {}, words[2]), element("span", {}, words[3]));
  };

  /* One frame of all panels, drawn in one go. */
  const frameIn = (key) => {
    const found = decoded.get(key);
    return found && found.frames ? found.frames[Math.min(state.frame, found.frames.length - 1)] : null;
  };
  const paint = (canvas, key) => {
    const picture = frameIn(key);
    const film = filmOf(key);
    const [width, height] = [film.shape[2], film.shape[1] / film.planes];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    if (picture) pen.drawImage(picture, 0, 0);
    else pen.clearRect(0, 0, width, height);
    canvas.dataset.frame = picture ? String(state.frame) : "";
  };
  const numberAt = (list) => (list && list.length ? list[Math.min(state.frame, list.length - 1)] : undefined);
  const now = (film) => {
    const psnr = numberAt(film.psnr);
    const ssim = numberAt(film.ssim);
    return clear([psnr === undefined ? null : `${psnr.toFixed(2)} dB`, ssim === undefined ? null : `SSIM ${ssim.toFixed(4)}`]).join(", ");
  };
  const draw = () => {
    for (const panel of state.panels) {
      const film = filmOf(panel.key);
      paint(panel.canvas, panel.key);
      lay(panel.over, film, state.frame);
      panel.now.textContent = panel.isSource ? "\u00a0" : `${data.still ? "" : `frame ${state.frame + 1}: `}${now(film)}`;
      panel.stage.classList.toggle("hit", (film.hit || []).includes(state.frame));
    }
    wipe();
    const last = lengthOf();
    bar.slider.max = String(last - 1);
    bar.slider.value = String(state.frame);
    bar.slider.setAttribute("aria-valuetext", `frame ${state.frame + 1} of ${last}`);
    bar.told.textContent = `frame ${state.frame + 1} of ${last}`;
    bar.play.textContent = state.playing ? "Pause" : "Play";
    get("films").dataset.frame = String(state.frame);
    mark();
  };

  /* The wipe: the right picture over the left one, from the edge on. */
  const sideKey = (side) => {
    const found = state.panels.find((panel) => panel.id === state[side]);
    return (found || state.panels[side === "left" ? 0 : state.panels.length - 1] || {}).key;
  };
  const wipe = () => {
    const [left, right] = [sideKey("left"), sideKey("right")];
    if (!left || !right) return;
    const [below, above] = get("wipe").querySelectorAll("canvas");
    paint(below, left);
    paint(above, right);
    if (state.overlay !== "none") {
      for (const [canvas, key] of [[below, left], [above, right]]) {
        const over = element("canvas");
        lay(over, filmOf(key), state.frame);
        if (!over.hidden) canvas.getContext("2d").drawImage(over, 0, 0);
      }
    }
    const share = `${(100 * state.edge).toFixed(2)}%`;
    above.style.clipPath = `inset(0 0 0 ${share})`;
    const edge = get("wipe-edge");
    edge.style.left = share;
    edge.setAttribute("aria-valuenow", String(Math.round(100 * state.edge)));
    edge.setAttribute("aria-valuetext", `${Math.round(100 * state.edge)} % ${nameOf(left)}, the rest ${nameOf(right)}`);
    get("wipe").querySelector(".left").textContent = nameOf(left);
    get("wipe").querySelector(".right").textContent = nameOf(right);
  };
  const moveEdge = (share) => {
    state.edge = Math.min(Math.max(share, 0), 1);
    wipe();
  };
  const dragged = (event) => {
    const box = get("wipe").getBoundingClientRect();
    moveEdge((event.clientX - box.left) / box.width);
  };
  get("wipe").addEventListener("pointerdown", (event) => {
    get("wipe").setPointerCapture(event.pointerId);
    dragged(event);
    get("wipe-edge").focus({ preventScroll: true });
    event.preventDefault();
  });
  get("wipe").addEventListener("pointermove", (event) => { if (get("wipe").hasPointerCapture(event.pointerId)) dragged(event); });
  get("wipe-edge").addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    moveEdge(state.edge + steps[event.key]);
    event.preventDefault();
    event.stopPropagation();
  });

  /* Playing: one clock for all. */
  let clock = null;
  const tick = (time) => {
    if (!state.playing) return;
    clock = clock || { time, frame: state.frame };
    const frame = (clock.frame + Math.floor(((time - clock.time) * state.fps) / 1000)) % lengthOf();
    if (frame !== state.frame) {
      state.frame = frame;
      draw();
    }
    requestAnimationFrame(tick);
  };
  const play = (on) => {
    state.playing = on && lengthOf() > 1;
    clock = null;
    draw();
    if (state.playing) requestAnimationFrame(tick);
  };
  const go = (frame) => {
    state.playing = false;
    state.frame = (frame + lengthOf()) % lengthOf();
    draw();
  };
  const button = (words, label, action, className = "") => {
    const made = element("button", { type: "button", className }, words);
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    return made;
  };
  const chooser = (label, values, action) => {
    const made = element("select", {}, ...values.map(([value, words]) => element("option", { value: String(value) }, words)));
    made.addEventListener("change", () => action(made.value));
    return { made, whole: element("label", { className: "control" }, element("span", {}, label), made) };
  };
  const bar = {
    play: button("Play", null, () => play(!state.playing), "play"),
    back: button("\u25c2", "one frame back", () => go(state.frame - 1)),
    on: button("\u25b8", "one frame on", () => go(state.frame + 1)),
    slider: element("input", { type: "range", min: "0", max: "0", value: "0", step: "1" }),
    told: element("output", { "aria-live": "off" }), // the slider says it; a voice for each frame of a film would not end
    speed: chooser("speed", SPEEDS.map((fps) => [fps, `${fps} a second`]), (fps) => { state.fps = Number(fps); clock = null; }),
  };
  bar.slider.setAttribute("aria-label", "frame");
  bar.slider.addEventListener("input", () => go(Number(bar.slider.value)));
  bar.speed.made.value = String(state.fps);
  const over = Object.entries(OVERLAYS).filter(([name]) => name === "none" || [...films.values()].some((film) => film[name]));
  const overlays = chooser("over the pictures", over, (name) => { state.overlay = name; legend(); draw(); });
  if (!data.still) get("film-bar").append(bar.play, bar.back, bar.on, bar.slider, bar.told, bar.speed.whole);
  get("film-bar").append(overlays.whole);
  get("films").addEventListener("keydown", (event) => {
    const isField = event.target.matches("select, input:not([type=range]), textarea") || event.ctrlKey || event.metaKey || event.altKey;
    const isButton = event.target.matches("button, summary");
    const moves = { ArrowLeft: () => go(state.frame - 1), ArrowRight: () => go(state.frame + 1), Home: () => go(0), End: () => go(lengthOf() - 1) };
    const does = data.still ? {} : moves;
    if (event.key === " " && !isButton && !data.still) does[" "] = () => play(!state.playing);
    does.e = does.E = () => {
      state.overlay = state.overlay === "errors" ? "none" : "errors";
      overlays.made.value = state.overlay;
      legend();
      draw();
    };
    if (isField || event.target.closest(".chart, .film-chart") || !(event.key in does)) return;
    does[event.key]();
    event.preventDefault();
  });

  /* Which points: the place of the selected one, and of each other scheme what lies nearest to it. */
  const asked = { channel: null, snr_db: null, budget: null, cost: null, key: null };
  const costOf = (point) => (point.cost > 0 ? Math.log(point.cost) : 0);
  const nearest = (scheme) => {
    const mine = keys.filter((key) => pointOf(key) && pointOf(key).scheme === scheme);
    const far = (key) => {
      const point = pointOf(key);
      const other = (name, weight) => (asked[name] !== null && point[name] !== asked[name] ? weight : 0);
      const noise = asked.snr_db === null || point.snr_db === null ? 0 : 10 * Math.abs(point.snr_db - asked.snr_db);
      const cost = asked.budget !== null && point.budget === asked.budget ? 0 : Math.abs(costOf(point) - (asked.cost ?? costOf(point)));
      return (key === asked.key ? -1 : 0) + other("channel", 1e4) + noise + cost;
    };
    return mine.reduce((best, key) => (best === null || far(key) < far(best) ? key : best), null);
  };
  const distinct = (name) => [...new Set(keys.map((key) => pointOf(key)[name]))].filter((found) => found !== null && found !== "");
  const places = {};
  const follow = (key) => {
    const point = pointOf(key);
    if (!point) return;
    Object.assign(asked, { channel: point.channel, snr_db: point.snr_db, budget: point.budget, cost: costOf(point), key });
    for (const [name, control] of Object.entries(places)) if (point[name] !== null) control.made.value = JSON.stringify(point[name]);
    arrange();
  };
  const PLACES = { channel: ["channel", (found) => found], snr_db: ["SNR", (found) => `${say.number(found)} dB`], budget: ["budget", (found) => `${say.number(found)} uses per pixel`] };
  for (const [name, [label, words]] of Object.entries(PLACES)) {
    const found = distinct(name);
    if (found.length < 2) continue;
    if (name !== "channel") found.sort((a, b) => a - b);
    places[name] = chooser(label, found.map((value) => [JSON.stringify(value), words(value)]), (text) => {
      Object.assign(asked, { [name]: JSON.parse(text), key: null });
      const like = keys.map(pointOf).find((point) => point.budget === asked.budget);
      if (name === "budget" && like) asked.cost = costOf(like);
      const shown = arrange();
      if (shown) semlink.selectPoint(shown);
    });
    get("film-places").append(places[name].whole);
  }

  /* The panels. */
  const air = (film) => {
    const made = element("canvas", { className: "film-air", width: 600, height: 9, role: "img" });
    made.setAttribute("aria-label", `${film.lost} of ${film.blocks} blocks lost`);
    const pen = made.getContext("2d");
    for (const [from, to, fate] of film.where) {
      pen.fillStyle = [semlink.css("--line"), "#d9a400", semlink.css("--bad"), semlink.css("--quiet")][fate];
      const height = fate === 0 ? 3 : 9;
      pen.fillRect(600 * from, 9 - height, Math.max(600 * (to - from) - 1, 1), height);
    }
    made.title = "blocks in the order in which they were sent: red were lost, yellow arrived when sent again";
    return made;
  };
  const lossesOf = (film) => {
    if (!film.blocks) return null;
    const lost = film.lost ? element("strong", {}, `${film.lost} of ${film.blocks} blocks lost`) : `no block of ${film.blocks} lost`;
    return element("span", { className: "losses" }, lost);
  };
  const panelOf = (id, key) => {
    const film = filmOf(key);
    const point = pointOf(key);
    const panel = { id, key, isSource: !point, canvas: element("canvas", { className: "picture", role: "img" }), over: element("canvas", { className: "over" }), now: element("span", { className: "now" }) };
    panel.canvas.setAttribute("aria-label", point ? `what ${point.scheme} delivered` : `the source, ${film.clip}`);
    panel.stage = element("div", { className: "film-stage" }, panel.canvas, panel.over);
    const name = element("span", { className: "name", title: nameOf(key) }, ...(point ? [semlink.swatch(semlink.scheme(point.scheme)), " "] : []), element("bdi", {}, point ? point.scheme : "Source"));
    const head = element("figcaption", {}, name);
    if (point) {
      const mine = keys.filter((other) => pointOf(other).scheme === point.scheme);
      const words = (other) => clear([say.place(pointOf(other)), `${films.get(other).psnr_db.toFixed(1)} dB`, distinct("channel").length > 1 ? pointOf(other).channel : null]).join(", ");
      const pick = element("select", {}, ...mine.map((other) => element("option", { value: other, selected: other === key }, words(other))));
      pick.setAttribute("aria-label", `point of ${point.scheme}`);
      pick.addEventListener("change", () => { replaced(id, pick.value); });
      head.append(pick);
    } else head.append(element("span", { className: "now" }, film.clip));
    head.append(panel.now);
    const drift = film.scored_db === null || film.scored_db === undefined ? null : `scored ${film.scored_db.toFixed(2)} dB, sent again ${film.psnr_db.toFixed(2)} dB`;
    const file = `${nameOf(key)} ${point ? say.place(point) : film.clip}`;
    const save = button("Save", `save the ${data.still ? "picture" : "clip"} of ${nameOf(key)}`, () => (data.still ? semlink.savePicture(frameIn(key), file) : semlink.saveFilm(film, file)), "small");
    const under = element("div", { className: "under" }, element("span", {}, ...clear([point ? lossesOf(film) : null, drift && (film.blocks ? `; ${drift}` : drift)])), save);
    const strip = point && film.where && film.where.length ? air(film) : null;
    panel.whole = element("figure", { className: "film" }, head, panel.stage, ...clear([strip]), under);
    panel.whole.dataset.key = key;
    panel.whole.setAttribute("aria-label", nameOf(key));
    return panel;
  };
  const replaced = (id, key) => {
    const place = state.panels.findIndex((panel) => panel.id === id);
    const made = panelOf(id, key);
    state.panels[place].whole.replaceWith(made.whole);
    state.panels[place] = made;
    load();
  };
  const arrange = () => {
    const shown = semlink.schemes().filter(({ on }) => on).map(({ name }) => [name, nearest(name)]).filter(([, key]) => key !== null);
    const sources = [...new Set(shown.map(([, key]) => films.get(key).source))].filter((source) => data.sources[source] && data.sources[source].mp4);
    const list = [...sources.map((source, n) => [n ? `${SOURCE} ${n + 1}` : SOURCE, `${SOURCE}:${source}`]), ...shown];
    const same = list.length === state.panels.length && list.every(([, key], n) => state.panels[n].key === key);
    if (!same) {
      state.panels = list.map(([id, key]) => panelOf(id, key));
      get("film-panels").replaceChildren(...state.panels.map((panel) => panel.whole));
      for (const [side, control] of Object.entries(sides)) {
        control.made.replaceChildren(...state.panels.map((panel) => element("option", { value: panel.id }, panel.isSource ? "source" : panel.id)));
        const fallback = side === "left" ? 0 : Math.min(1, state.panels.length - 1);
        if (!state.panels.some((panel) => panel.id === state[side])) state[side] = (state.panels[fallback] || {}).id ?? null;
        control.made.value = state[side];
      }
      load();
    }
    return shown.length ? shown[0][1] : null;
  };
  const sides = {
    left: chooser("left", [], (id) => { state.left = id; draw(); }),
    right: chooser("right", [], (id) => { state.right = id; draw(); }),
  };
  get("wipe-choice").append(sides.left.whole, sides.right.whole);

  /* Curves over the frames, with the present one marked, and the same as a table. */
  const CHARTS = { psnr: ["film-psnr", "PSNR [dB]", 2], ssim: ["film-ssim", "SSIM", 4] };
  const charted = () => state.panels.filter((panel) => !panel.isSource);
  const marker = () => ({ type: "line", xref: "x", yref: "paper", x0: state.frame + 1, x1: state.frame + 1, y0: 0, y1: 1, line: { color: semlink.css("--ink"), width: 1.5, dash: "dot" } });
  const hitsIn = () => [...new Set(charted().flatMap((panel) => filmOf(panel.key).hit || []))].map((frame) => ({
    type: "rect", xref: "x", yref: "paper", x0: frame + 0.5, x1: frame + 1.5, y0: 0, y1: 1, line: { width: 0 }, fillcolor: semlink.css("--bad"), opacity: 0.12, layer: "below",
  }));
  const chart = () => {
    if (data.still) return; // one frame is no curve
    for (const [name, [id, label]] of Object.entries(CHARTS)) {
      const shown = charted().filter((panel) => (filmOf(panel.key)[name] || []).length);
      get(id).hidden = !shown.length;
      if (!shown.length) continue;
      const traces = shown.map((panel) => {
        const film = filmOf(panel.key);
        const scheme = semlink.scheme(pointOf(panel.key).scheme);
        const colour = semlink.colour(scheme);
        return {
          x: film[name].map((_, n) => n + 1), y: film[name], mode: "lines+markers", name: semlink.plotText(scheme.name),
          line: { color: colour, dash: scheme.dash, width: 1.8 }, marker: { color: colour, symbol: scheme.symbol, size: 6 },
          hovertemplate: `%{y:.${CHARTS[name][2]}f}, frame %{x}`,
        };
      });
      const size = semlink.isPrinting() ? { width: semlink.PAPER, autosize: false } : { width: undefined, autosize: true };
      const margin = { l: 64, r: 12, t: 10, b: 46 }; // the same of both, so that frames stand below each other
      const layout = { height: semlink.isPrinting() ? 190 : 230, ...size, margin, xaxis: { title: { text: "frame" }, range: [0.5, lengthOf() + 0.5] }, yaxis: { title: { text: label }, automargin: false }, shapes: [...hitsIn(), marker()] };
      get(id).setAttribute("aria-label", `${label} of each frame; the numbers are in the table below`);
      semlink.chart(get(id), traces, layout);
      get(id).removeAllListeners?.("plotly_click");
      get(id).on("plotly_click", (event) => go(event.points[0].x - 1));
    }
    table();
  };
  const table = () => {
    const columns = charted().flatMap((panel) => Object.keys(CHARTS).filter((name) => (filmOf(panel.key)[name] || []).length).map((name) => [panel, name]));
    const head = element("tr", {}, element("th", { scope: "col" }, "frame"), ...columns.map(([panel, name]) => element("th", { scope: "col" }, element("bdi", {}, nameOf(panel.key)), ` ${CHARTS[name][1]}`)));
    const rows = [...Array(lengthOf()).keys()].map((frame) => element("tr", {}, element("th", { scope: "row" }, String(frame + 1)), ...columns.map(([panel, name]) => {
      const film = filmOf(panel.key);
      const value = film[name][frame];
      return element("td", {}, (value === undefined ? "" : value.toFixed(CHARTS[name][2])) + ((film.hit || []).includes(frame) ? " lost blocks" : ""));
    })));
    get("film-table").tHead.replaceChildren(head);
    get("film-table").tBodies[0].replaceChildren(...rows);
  };
  let marking = false;
  const mark = () => {
    if (marking) return;
    marking = true;
    requestAnimationFrame(async () => {
      for (const [id] of Object.values(CHARTS)) if (get(id).data && !get(id).hidden) await Plotly.relayout(get(id), { shapes: [...hitsIn(), marker()] });
      marking = false;
      if (get("films").dataset.frame !== String(state.frame)) mark();
    });
  };

  /* Decoding, when the section comes near. */
  let isNear = false;
  let turn = 0;
  const load = async () => {
    if (!isNear) return;
    turn += 1;
    const mine = turn;
    const status = get("film-status");
    const wanted = state.panels.map((panel) => panel.key);
    status.textContent = "decoding";
    for (const key of wanted) {
      if (!decoded.has(key)) decoded.set(key, await semlink.decodeFilm(filmOf(key)).catch((why) => ({ frames: null, why: why.message })));
      if (mine !== turn) return;
      draw();
    }
    const held = wanted.map((key) => decoded.get(key));
    const failed = held.find(({ frames }) => !frames);
    const loose = held.some((found) => found.frames && !found.exact);
    status.textContent = failed ? `A clip cannot be shown: ${failed.why}.` : loose ? "This browser does not say which frame it shows; a picture may be one frame off." : "";
    get("films").dataset.by = [...new Set(held.map(({ by }) => by))].join(" ");
    for (const key of [...decoded.keys()].slice(0, -40)) if (!wanted.includes(key)) decoded.delete(key);
    legend();
    chart();
    draw();
    get("films").dataset.ready = wanted.join(" ");
  };
  const near = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    near.disconnect();
    isNear = true;
    load();
  }, { rootMargin: "900px" });
  near.observe(get("films"));

  semlink.onPoint(follow);
  semlink.onSchemes(arrange);
  semlink.onTheme(() => {
    if (!state.panels.length) return;
    state.panels = state.panels.map(({ id, key }) => panelOf(id, key));
    get("film-panels").replaceChildren(...state.panels.map((panel) => panel.whole));
    if (isNear || semlink.isPrinting()) chart(); // at once, since a printer does not wait
    legend();
    draw();
  });
  follow(keys[Math.floor(keys.length / 2)]);
})();
