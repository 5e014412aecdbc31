// A channel affinity as a small square: query channels down, key channels across.

import { colourTable } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { heatImage } from "./heat.js";

export class Matrix {
  /** act: {pointRow(channel | null), chooseRow(channel | null)} */
  constructor(act) {
    this.act = act;
    this.canvas = h("canvas");
    this.square = h("div", { class: "va-square", role: "slider", tabindex: "0",
      "aria-valuemin": "0", "aria-orientation": "vertical" }, this.canvas);
    this.caption = h("p", { class: "va-caption" });
    this.root = h("div", { class: "va-matrix" }, this.caption, this.square);
    this.listen();
  }

  listen() {
    const { square, act } = this;
    square.addEventListener("pointermove", (event) => act.pointRow(this.rowAt(event)));
    square.addEventListener("pointerdown", (event) => act.pointRow(this.rowAt(event)));
    square.addEventListener("click", (event) => act.chooseRow(this.rowAt(event)));
    square.addEventListener("keydown", (event) => this.key(event));
  }

  rowAt(event) {
    const box = this.square.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.view.channels);
    return Math.min(Math.max(row, 0), this.view.channels - 1);
  }

  key(event) {
    const { query, channels } = this.view;
    const far = event.shiftKey ? 5 : 1;
    const next = { ArrowUp: query - far, ArrowLeft: query - far, ArrowDown: query + far,
      ArrowRight: query + far, Home: 0, End: channels - 1 }[event.key];
    if (next !== undefined) {
      this.act.moveRow(Math.min(Math.max(next, 0), channels - 1));
    } else if (event.key === "Enter" || event.key === " ") {
      this.act.chooseRow(query);
    } else if (event.key === "Escape") {
      this.act.chooseRow(null);
    } else return;
    event.preventDefault();
  }

  /** view: {values, channels, scale, query, pinned, caption, label} */
  show(view, table) {
    this.view = view;
    this.caption.textContent = view.caption;
    const said = { "aria-label": view.label, "aria-valuemax": view.channels - 1,
      "aria-valuenow": view.query };
    for (const [name, value] of Object.entries(said)) this.square.setAttribute(name, value);
    const side = this.square.clientWidth;
    if (side === 0) return;
    const { context, ratio } = sharpen(this.canvas, side, side);
    context.imageSmoothingEnabled = false;
    const opaque = colourTable(table, view.scale, 1).map((value, i) => (i % 4 === 3 ? 255 : value));
    const image = heatImage(view.values, view.channels, view.channels, view.scale, opaque);
    context.drawImage(image, 0, 0, side * ratio, side * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const step = side / view.channels;
    const tall = Math.max(step, 3);
    const top = (view.query + 0.5) * step - tall / 2;
    for (const [colour, width] of [["rgba(0, 0, 0, 0.8)", 3], ["#fff", view.pinned ? 1.5 : 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(0.5, top - 1, side - 1, tall + 2);
    }
  }
}
