// The colour bar: which number each colour stands for, drawn as the colours look on the picture.

import { colourTable, isFlat, position } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { number } from "./format.js";

const HEIGHT = 12;

export class ColourBar {
  constructor() {
    this.canvas = h("canvas", { class: "va-bar-colours", "aria-hidden": "true" });
    this.pointer = h("span", { class: "va-bar-pointer", hidden: true });
    this.ticks = h("span", { class: "va-bar-ticks" });
    this.low = h("span");
    this.middle = h("span", { class: "va-bar-middle" });
    this.high = h("span");
    this.beside = h("ul", { class: "va-bar-beside", hidden: true });
    this.label = h("span", { class: "va-bar-label" });
    this.note = h("span", { class: "va-bar-note" });
    this.root = h("div", { class: "va-bar" },
      h("div", { class: "va-bar-top" },
        h("div", { class: "va-bar-scale" },
          h("div", { class: "va-bar-track" }, this.canvas, this.ticks, this.pointer),
          h("div", { class: "va-bar-numbers" }, this.low, this.middle, this.high)),
        this.beside),
      h("div", { class: "va-bar-words" }, this.label, this.note));
  }

  /**
   * Show a scale: legend = {label, ticks: [{value, label}], beside: [{name, value}] (keys that are
   * no places)}, note = how cells are drawn.
   */
  show(scale, look, legend, note) {
    this.root.classList.remove("va-idle");
    this.scale = scale;
    const { table, opacity } = look;
    const { drawn } = this;
    if (drawn?.table !== table || drawn.opacity !== opacity || drawn.signed !== scale.signed) {
      this.colours(scale, look);
    }
    this.showBeside(legend.beside ?? [], look);
    const flat = isFlat(scale);
    this.low.textContent = flat && scale.signed ? "" : number(scale.low);
    this.middle.textContent = scale.signed ? number((scale.low + scale.high) / 2) : "";
    this.high.textContent = flat ? "" : number(scale.high);
    this.label.textContent = [legend.label, ...legend.ticks.map((tick) => tick.label)].join(" · ");
    this.note.textContent = note;
    this.ticks.replaceChildren(...legend.ticks
      .filter((tick) => tick.value >= scale.low && tick.value <= scale.high)
      .flatMap((tick) => [h("i", { style: this.left(tick.value), title: tick.label }),
        h("span", { style: `--va-at: ${100 * position(scale, tick.value)}%` }, tick.name)]));
  }

  showBeside(entries, { table }) {
    this.beside.hidden = entries.length === 0;
    this.beside.replaceChildren(...entries.map(({ name, value }) => {
      const at = 3 * Math.round(255 * position(this.scale, value));
      return h("li", {}, h("i", { class: "va-swatch", "aria-hidden": "true",
        style: `background: rgb(${table.subarray(at, at + 3).join(" ")})` }),
      h("span", {}, name), h("span", { class: "va-value" }, number(value)));
    }));
  }

  /** Keep the place of the bar while there is nothing to show. */
  hide(words = "") {
    this.root.classList.add("va-idle");
    this.beside.hidden = true;
    this.label.textContent = words;
    this.note.textContent = "";
  }

  /** Draw the colours anew the next time: the bar has another size. */
  resized() {
    this.drawn = null;
  }

  /** Mark a value on the bar, or none. */
  point(value) {
    this.pointer.hidden = value === null || !this.scale;
    if (!this.pointer.hidden) this.pointer.style = this.left(value);
  }

  left(value) {
    return `left: ${100 * position(this.scale, value)}%`;
  }

  colours(scale, { table, opacity }) {
    const width = this.canvas.clientWidth;
    this.drawn = width > 0 ? { table, opacity, signed: scale.signed } : null;
    if (width === 0) return;
    const { context, ratio } = sharpen(this.canvas, width, HEIGHT);
    const strip = document.createElement("canvas");
    strip.width = 256;
    strip.height = 1;
    const colours = new ImageData(colourTable(table, scale, opacity), 256, 1);
    strip.getContext("2d").putImageData(colours, 0, 0);
    context.drawImage(strip, 0, 0, width * ratio, HEIGHT * ratio);
  }
}
