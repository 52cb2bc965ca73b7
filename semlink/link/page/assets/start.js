"use strict";
/* When all is ready: a point is selected, so that what follows the selection has something to show. */
(() => {
  const { panels } = semlink.panels.list();
  const lines = panels.flatMap((panel) => panel.lines);
  const able = lines.filter(({ scheme }) => !scheme.bound && !scheme.genie && !(semlink.isReference && semlink.isReference(scheme.name)));
  const line = able[0] || lines[0];
  const points = line ? line.points.filter(semlink.say.isSent) : [];
  const first = points[Math.floor(points.length / 2)] || semlink.points()[0];
  if (first) semlink.selectPoint(first.key);
  document.documentElement.dataset.ready = "yes";
})();
