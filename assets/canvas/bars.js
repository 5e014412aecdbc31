// A bar for every channel (or map, class, expert) with an axis; a slider for keys and screen readers.

import { h, sharpen } from "./dom.js";
import { number } from "./format.js";

const NARROWEST = 4;
const TOP = 6;
const NAMES = 18;
const NARROWEST_NAME = 34;

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

  /** view: {values, order, low, high, shown, pinned, names, caption, label} */
  show(view) {
    Object.assign(this, { order: view.order, shown: view.shown });
    // The canvas asks for the size of its box, which must not wait for words to be laid out.
    this.draw(view);
    this.caption.textContent = view.caption;
    const rank = view.order.indexOf(view.shown);
    const said = { "aria-label": view.label, "aria-valuemax": view.order.length,
      "aria-valuenow": rank + 1, "aria-valuetext": view.caption };
    for (const [name, value] of Object.entries(said)) this.slider.setAttribute(name, value);
    const { low = 0, high } = view;
    [high, (low + high) / 2, low].forEach((value, i) => {
      this.axis[i].textContent = value === 1 ? "1" : number(value, value === 0.5 ? 1 : 2);
    });
  }

  draw({ values, order, low = 0, high, shown, pinned, names }) {
    const height = this.scroll.clientHeight;
    const room = this.scroll.clientWidth;
    if (room === 0 || height === 0) return;
    const width = Math.max(room, order.length * NARROWEST);
    const named = Boolean(names) && width / order.length >= NARROWEST_NAME;
    this.root.classList.toggle("va-named", named);
    this.slider.style.width = `${width}px`;
    const { context, ratio } = sharpen(this.canvas, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.root);
    const step = width / order.length;
    const gap = step > 6 ? 2 : 1;
    const full = height - TOP - (named ? NAMES : 0);
    const span = Math.max(high - low, 1e-12);
    const at = (value) => Math.min(Math.max((value - low) / span, 0), 1);
    const ground = at(0);
    context.fillStyle = style.getPropertyValue("--va-line");
    for (const part of [0, 0.5]) context.fillRect(0, TOP + full * part, width, 1);
    const plain = style.getPropertyValue("--va-bar-ink");
    const accent = style.getPropertyValue("--va-accent");
    order.forEach((channel, rank) => {
      const marked = channel === shown || channel === pinned;
      const [from, to] = [ground, at(values[channel])].sort((a, b) => a - b);
      context.fillStyle = marked ? accent : plain;
      context.fillRect(rank * step, TOP + full * (1 - to), Math.max(step - gap, 1.5),
        Math.max(full * (to - from), 1));
      if (marked) context.fillRect(rank * step - 1, 0, Math.max(step - gap, 1.5) + 2, 3);
    });
    if (named) this.drawNames(context, { order, names, shown, step, height, style });
  }

  /** Names under their bars, cut where they are longer than these. */
  drawNames(context, { order, names, shown, step, height, style }) {
    context.font = `${style.getPropertyValue("--va-small")} ${style.fontFamily}`;
    context.textBaseline = "bottom";
    order.forEach((index, rank) => {
      context.fillStyle = style.getPropertyValue(index === shown ? "--va-accent" : "--va-quiet");
      context.fillText(shortened(context, names[index], step - 6), rank * step, height);
    });
  }
}

function shortened(context, name, room) {
  if (context.measureText(name).width <= room) return name;
  let kept = name;
  while (kept.length > 1 && context.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}
