// A small chart of curves: the map's with its range over seeds, the controls' beside it.

import { svg } from "../canvas/dom.js";
import { number } from "../canvas/format.js";

const WIDTH = 300;
const HEIGHT = 132;
const BOX = { left: 38, right: 8, top: 8, bottom: 20 };

/** Means, least and largest values of curves [[one seed], ...] along their points. */
export function bandOf(curves) {
  const along = curves[0].map((_, point) => curves.map((curve) => curve[point]));
  return {
    mean: along.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    low: along.map((values) => Math.min(...values)),
    high: along.map((values) => Math.max(...values)),
  };
}

/**
 * Draw {name: curves} over shares 0..1; names become classes vt-line-<name>, and "map" is drawn
 * last, with its band. range: [least, largest] of the heights; label: said in its place aloud.
 */
export function chart({ at, curves, range, label }) {
  const [low, high] = range;
  const x = (share) => BOX.left + share * (WIDTH - BOX.left - BOX.right);
  const y = (value) => HEIGHT - BOX.bottom
    - ((value - low) / (high - low || 1)) * (HEIGHT - BOX.top - BOX.bottom);
  const points = (values) => values.map((value, i) => `${x(at[i])},${y(value)}`).join(" ");
  const names = Object.keys(curves).filter((name) => name !== "map");
  const own = bandOf(curves.map);
  const outline = [...own.high.map((value, i) => [at[i], value]),
    ...own.low.map((value, i) => [at[i], value]).reverse()];
  return svg("svg", { class: "vt-plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": label },
  ...axes(range, x, y),
  svg("polygon", { class: "vt-band",
    points: outline.map(([share, value]) => `${x(share)},${y(value)}`).join(" ") }),
  ...names.map((name) => svg("polyline", { class: `vt-line vt-line-${name}`,
    points: points(bandOf(curves[name]).mean) })),
  svg("polyline", { class: "vt-line vt-line-map", points: points(own.mean) }));
}

function axes([low, high], x, y) {
  const across = [[0, "start"], [0.5, "middle"], [1, "end"]].map(([share, anchor]) =>
    svg("text", { x: x(share), y: HEIGHT - 5, "text-anchor": anchor }, `${100 * share}%`));
  const up = [low, high].map((value) => svg("text", { x: BOX.left - 6, y: y(value) + 4,
    "text-anchor": "end" }, value === 0 ? "0" : number(value, 2)));
  const floor = low < 0 ? 0 : low;
  return [svg("line", { class: "vt-axis", x1: x(0), x2: x(1), y1: y(floor), y2: y(floor) }),
    ...across, ...up];
}

/** The key of a chart's lines: a piece of each line with its name. */
export function keyOf(names) {
  return names.map(([name, words]) => svg("svg", { class: "vt-key", viewBox: "0 0 24 8",
    role: "img", "aria-label": words },
  svg("line", { class: `vt-line vt-line-${name}`, x1: 1, x2: 23, y1: 4, y2: 4 })));
}
