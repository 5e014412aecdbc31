// A bar for every channel, sorted by weight, with an axis; a slider for keyboard and screen reader.

import { h, sharpen } from "./dom.js";
import { number } from "./format.js";

const NARROWEST = 4;
const TOP = 6;

export class Bars {
  /** act: {pointChannel(channel | null), chooseChannel(channel)} */
  constructor(act) {
    this.act = act;
    this.canvas = h("canvas");
    this.slider = h("div", { class: "va-bars-slider", role: "slider", tabindex: "0",
      "aria-valuemin": "1" }, this.canvas);
    this.scroll = h("div", { class: "va-bars-scroll" }, this.slider);
    this.axis = ["1", "0.5", "0"].map((text) => h("span", {}, text));
    this.caption = h("p", { class: "va-caption" });
    this.root = h("div", { class: "va-bars" }, this.caption,
      h("div", { class: "va-bars-plot" },
        h("div", { class: "va-bars-axis", "aria-hidden": "true" }, ...this.axis), this.scroll));
    this.listen();
  }

  listen() {
    const { slider, act } = this;
    const channel = (event) => this.order?.[this.rankAt(event)] ?? null;
    slider.addEventListener("pointermove", (event) => act.pointChannel(channel(event)));
    slider.addEventListener("pointerdown", (event) => act.pointChannel(channel(event)));
    slider.addEventListener("pointerleave", () => act.pointChannel(null));
    slider.addEventListener("click", (event) => act.chooseChannel(channel(event)));
    slider.addEventListener("keydown", (event) => this.key(event));
    slider.addEventListener("blur", () => act.pointChannel(null));
  }

  rankAt(event) {
    const box = this.slider.getBoundingClientRect();
    const rank = Math.floor(((event.clientX - box.left) / box.width) * this.order.length);
    return Math.min(Math.max(rank, 0), this.order.length - 1);
  }

  key(event) {
    if (!this.order) return;
    const last = this.order.length - 1;
    const rank = this.order.indexOf(this.shown);
    const far = event.shiftKey ? 5 : 1;
    const next = { ArrowLeft: rank - far, ArrowDown: rank - far, ArrowRight: rank + far,
      ArrowUp: rank + far, Home: 0, End: last }[event.key];
    if (next !== undefined) {
      this.act.pointChannel(this.order[Math.min(Math.max(next, 0), last)]);
    } else if (event.key === "Enter" || event.key === " ") {
      this.act.chooseChannel(this.shown);
    } else if (event.key === "Escape") {
      this.act.chooseChannel(null);
    } else return;
    event.preventDefault();
  }

  /** view: {values, order, high, shown, pinned, caption, label} */
  show(view) {
    Object.assign(this, { order: view.order, shown: view.shown });
    this.caption.textContent = view.caption;
    const rank = view.order.indexOf(view.shown);
    const said = { "aria-label": view.label, "aria-valuemax": view.order.length,
      "aria-valuenow": rank + 1, "aria-valuetext": view.caption };
    for (const [name, value] of Object.entries(said)) this.slider.setAttribute(name, value);
    [view.high, view.high / 2, 0].forEach((value, i) => {
      this.axis[i].textContent = value === 1 ? "1" : number(value, value === 0.5 ? 1 : 2);
    });
    this.draw(view);
  }

  draw({ values, order, high, shown, pinned }) {
    const height = this.scroll.clientHeight;
    const room = this.scroll.clientWidth;
    if (room === 0 || height === 0) return;
    const width = Math.max(room, order.length * NARROWEST);
    this.slider.style.width = `${width}px`;
    const { context, ratio } = sharpen(this.canvas, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.root);
    const step = width / order.length;
    const gap = step > 6 ? 2 : 1;
    const full = height - TOP;
    context.fillStyle = style.getPropertyValue("--va-line");
    for (const part of [0, 0.5]) context.fillRect(0, TOP + full * part, width, 1);
    const plain = style.getPropertyValue("--va-bar-ink");
    const accent = style.getPropertyValue("--va-accent");
    order.forEach((channel, rank) => {
      const marked = channel === shown || channel === pinned;
      const tall = Math.max(full * Math.min(Math.max(values[channel], 0) / high, 1), 1);
      context.fillStyle = marked ? accent : plain;
      context.fillRect(rank * step, TOP + full - tall, Math.max(step - gap, 1.5), tall);
      if (marked) context.fillRect(rank * step - 1, 0, Math.max(step - gap, 1.5) + 2, 3);
    });
  }
}
