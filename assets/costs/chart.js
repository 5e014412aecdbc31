// Costs over the number of places on two logarithmic axes; the line under the pointer stands out.

import { svg } from "../canvas/dom.js";
import { cost } from "./units.js";

const BOX = { left: 64, right: 16, top: 12, bottom: 44 };
const LEAST = 240;
const MOST = 440;
const NEAR = 28;
/** How lines are dashed, by the stated power of N. */
export const DASHES = { 2: null, 1.5: "7 4", 1: "2 4" };

export class Chart {
  /** act: {point(index or null, position), choose(index)} */
  constructor(mechanisms, act) {
    this.mechanisms = mechanisms;
    this.root = svg("svg", { class: "vk-plot", role: "img" });
    const at = (event) => this.nearest(event);
    this.root.addEventListener("pointermove", (event) => act.point(at(event)));
    this.root.addEventListener("pointerleave", () => act.point(null));
    this.root.addEventListener("click", (event) => {
      const found = at(event);
      if (found) act.choose(found.index);
    });
  }

  /** Draw a measure into a width in pixels; chosen and pointed are indices of mechanisms. */
  draw({ measure, width, chosen, pointed, say }) {
    const height = Math.min(MOST, Math.max(LEAST, width * 0.55));
    this.measure = measure;
    this.scales(measure, width, height);
    const order = this.mechanisms.map((_, index) => index)
      .sort((a, b) => rank(a, chosen, pointed) - rank(b, chosen, pointed));
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.setAttribute("width", width);
    this.root.setAttribute("height", height);
    this.root.setAttribute("aria-label", say("chart", { measure: say(`measure.${measure}`) }));
    this.root.replaceChildren(...this.axes(width, height, say),
      ...order.map((index) => this.line(index, chosen, pointed)), ...this.guide(chosen, say));
  }

  scales(measure, width, height) {
    const points = this.mechanisms.flatMap((one) => one.points);
    const across = range(points.map((point) => point.places));
    const up = range(points.map((point) => point[measure]));
    this.sides = this.mechanisms[0].points.map((point) => point.places);
    this.limits = up;
    this.x = scale(across, BOX.left, width - BOX.right);
    this.y = scale(up, height - BOX.bottom, BOX.top);
  }

  axes(width, height, say) {
    const [low, high] = this.limits;
    const parts = [];
    for (let decade = Math.ceil(Math.log10(low)); 10 ** decade <= high; decade += 1) {
      const y = this.y(10 ** decade);
      parts.push(svg("line", { class: "vk-grid", x1: BOX.left, x2: width - BOX.right, y1: y, y2: y }),
        svg("text", { x: BOX.left - 8, y: y + 4, "text-anchor": "end" },
          cost(this.measure, 10 ** decade, 1)));
    }
    for (const places of this.sides) {
      const x = this.x(places);
      const side = Math.round(Math.sqrt(places));
      parts.push(svg("line", { class: "vk-grid", x1: x, x2: x, y1: BOX.top, y2: height - BOX.bottom }),
        svg("text", { x, y: height - BOX.bottom + 17, "text-anchor": "middle" }, `${side}²`));
    }
    parts.push(svg("text", { x: (BOX.left + width - BOX.right) / 2, y: height - 6,
      "text-anchor": "middle" }, say("axis")));
    return parts;
  }

  line(index, chosen, pointed) {
    const one = this.mechanisms[index];
    const names = ["vk-line", one.slug === "plain" && "vk-plain", index === pointed && "vk-pointed",
      index === chosen && "vk-chosen"];
    return svg("polyline", { class: names.filter(Boolean).join(" "), "data-slug": one.slug,
      "stroke-dasharray": DASHES[one.exponent], points: this.places(one)
        .map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ") });
  }

  places(one) {
    return one.points.map((point) => [this.x(point.places), this.y(point[this.measure])]);
  }

  /** How the chosen one would grow as its paper states, ending at what its largest map took. */
  guide(chosen, say) {
    const one = this.mechanisms[chosen];
    if (!one) return [];
    const [first, last] = [one.points[0], one.points.at(-1)];
    const start = last[this.measure] * (first.places / last.places) ** one.exponent;
    const bottom = this.limits[0];
    // A steep guide leaves the chart before the smallest map.
    const from = start >= bottom ? first.places
      : last.places * (bottom / last[this.measure]) ** (1 / one.exponent);
    const low = Math.max(start, bottom);
    const [x, y] = [this.x(from), this.y(low)];
    return [svg("line", { class: "vk-guide", x1: x, y1: y, x2: this.x(last.places),
      y2: this.y(last[this.measure]) }),
    svg("text", { class: "vk-guide-name", x: x + 6, y: y - 6 }, say("guide"))];
  }

  /** The line nearest to the pointer, {index, point}, or null where none is near. */
  nearest(event) {
    const box = this.root.getBoundingClientRect();
    const ratio = this.root.viewBox.baseVal.width / box.width;
    const place = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    const found = this.mechanisms.map((one, index) => ({ index, far: apart(place, this.places(one)) }))
      .reduce((best, each) => (each.far < best.far ? each : best));
    if (found.far > NEAR) return null;
    const near = this.sides.map((places) => Math.abs(this.x(places) - place[0]));
    return { index: found.index, point: near.indexOf(Math.min(...near)) };
  }
}

function rank(index, chosen, pointed) {
  return index === chosen ? 2 : Number(index === pointed);
}

function range(values) {
  return [Math.min(...values), Math.max(...values)];
}

/** A logarithmic scale from values onto pixels. */
function scale([low, high], start, end) {
  const [from, to] = [Math.log(low), Math.log(high)];
  return (value) => start + ((Math.log(value) - from) / (to - from || 1)) * (end - start);
}

/** How far a place is from a line of places. */
function apart(place, line) {
  return Math.min(...line.slice(1).map((end, index) => toSegment(place, line[index], end)));
}

function toSegment([x, y], [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}
