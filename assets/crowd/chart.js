// The count against one knob of the laboratory: measured points, joined where they lie.

import { h, svg } from "../canvas/dom.js";
import { number, percent } from "../canvas/format.js";

const WIDTH = 320;
const HEIGHT = 132;
const BOX = { left: 40, right: 8, top: 10, bottom: 22 };

export class Chart {
  constructor() {
    this.title = h("p", { class: "va-caption" });
    this.plot = svg("svg", { class: "vc-plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.words = h("p", { class: "va-caption vc-chart-words" });
    this.root = h("div", { class: "vc-chart" }, this.title, this.plot, this.words);
  }

  /**
   * Show points [{value, count, thermal}] of a knob over its range; `current` is where the slider
   * stands and `still` where nothing is changed.
   */
  show({ points, range, current, still, title, unit, stage, say }) {
    const sorted = [...points].sort((a, b) => a.value - b.value);
    const most = Math.max(1, ...sorted.map((point) => point.count)) * 1.08;
    const x = (value) => BOX.left + ((value - range[0]) / (range[1] - range[0]))
      * (WIDTH - BOX.left - BOX.right);
    const y = (count) => HEIGHT - BOX.bottom - (count / most) * (HEIGHT - BOX.top - BOX.bottom);
    const share = (part) => HEIGHT - BOX.bottom - part * (HEIGHT - BOX.top - BOX.bottom);
    const here = sorted.find((point) => Math.abs(point.value - current) < 1e-9);
    const trusted = sorted.filter((point) => Number.isFinite(point.thermal));
    this.title.textContent = title;
    this.plot.replaceChildren(...axes(range, most, x, y),
      svg("line", { class: "vc-still", x1: x(still), x2: x(still), y1: BOX.top,
        y2: HEIGHT - BOX.bottom }),
      line("vc-trust-line", trusted.map((point) => [x(point.value), share(point.thermal)])),
      line("vc-count-line", sorted.map((point) => [x(point.value), y(point.count)])),
      ...sorted.map((point) => svg("circle", { class: "vc-dot", cx: x(point.value),
        cy: y(point.count), r: 2.5 }, svg("title", {}, spoken(point, unit, say)))),
      here ? svg("circle", { class: "vc-here", cx: x(here.value), cy: y(here.count), r: 5 }) : null);
    this.plot.setAttribute("aria-label", sorted.map((point) => spoken(point, unit, say)).join("; "));
    const words = [say("chart.count"), trusted.length ? say("chart.trust", { stage }) : null];
    this.words.replaceChildren(h("i", { class: "vc-key vc-key-count" }), words[0],
      ...(words[1] ? [h("i", { class: "vc-key vc-key-trust" }), words[1]] : []));
  }
}

function spoken(point, unit, say) {
  const words = { value: number(point.value), unit, count: point.count.toFixed(1),
    share: Number.isFinite(point.thermal) ? percent(point.thermal) : "–" };
  return say("chart.point", words);
}

function line(name, points) {
  return svg("polyline", { class: name, points: points.map((one) => one.join(",")).join(" ") });
}

function axes([low, high], most, x, y) {
  const middle = (low + high) / 2;
  const base = HEIGHT - BOX.bottom;
  const across = [[low, "start"], [middle, "middle"], [high, "end"]].map(([value, anchor]) =>
    svg("text", { x: x(value), y: HEIGHT - 6, "text-anchor": anchor }, number(value)));
  const up = [0, most / 1.08].map((count) => svg("text", { x: BOX.left - 6, y: y(count) + 4,
    "text-anchor": "end" }, count === 0 ? "0" : number(count)));
  return [svg("line", { class: "vc-axis", x1: BOX.left, x2: WIDTH - BOX.right, y1: base, y2: base }),
    ...across, ...up];
}
