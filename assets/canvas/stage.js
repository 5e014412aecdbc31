// The picture with its attention: three layers of one box, and pointing at it.

import { colourTable } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { gridBox, toOriginal } from "./grids.js";
import { heatImage, smoothed } from "./heat.js";
import { drawProfile } from "./profile.js";
import { traceReach } from "./reach.js";

const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-Infinity, 0], End: [Infinity, 0],
};

export class Stage {
  /** act: {point(place), leave(), choose(place), move(columns, rows), toggle(), unpin()} */
  constructor(act, onProblem) {
    this.image = h("img", { class: "va-image", alt: "", draggable: "false",
      onerror: () => this.image.getAttribute("src") && onProblem() });
    this.heat = h("canvas", { class: "va-layer va-heat" });
    this.edge = h("canvas", { class: "va-layer" });
    this.marks = h("canvas", { class: "va-layer" });
    this.frame = h("div", { class: "va-frame", tabindex: "0", role: "application" },
      this.image, this.heat, this.edge, this.marks);
    this.empty = h("p", { class: "va-empty" });
    this.root = h("div", { class: "va-box" }, this.frame, this.empty);
    this.act = act;
    this.hand = null;
    this.listen();
  }

  listen() {
    const { frame, act } = this;
    const on = (name, step, own) => frame.addEventListener(name, (event) => (
      this.hand ? this.give(step, event) : own(this.placeOf(event))));
    on("pointermove", "move", (place) => act.point(place));
    on("pointerdown", "down", (place) => act.point(place));
    on("pointerup", "up", () => {});
    on("pointerleave", "leave", () => act.leave());
    on("pointercancel", "leave", () => act.leave());
    on("click", "click", (place) => act.choose(place));
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * Hand the pointer over, or take it back with null. A hand has any of down, move, up, leave and
   * click, each called as (place or null, event) with the place in pixels of the original picture,
   * and draw(context, zoom), which is called last whenever marks are drawn: screen pixels, `zoom`
   * of them for one pixel of the original. While it holds the pointer nothing is asked or pinned,
   * and a drag does not scroll the page.
   */
  handTo(hand) {
    this.hand = hand;
    this.frame.classList.toggle("va-handed", Boolean(hand));
  }

  give(step, event) {
    if (step === "down") this.frame.setPointerCapture(event.pointerId);
    this.hand[step]?.(this.placeOf(event), event);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { act } = this;
    const step = KEYS[event.key];
    if (step) act.move(...step.map((one) => one * (event.shiftKey ? 5 : 1) || 0));
    else if (event.key === "Enter" || event.key === " ") act.toggle();
    else if (event.key === "Escape") act.unpin();
    else return;
    event.preventDefault();
  }

  /** The place of the original picture under an event; null outside the picture. */
  placeOf(event) {
    if (!this.picture) return null;
    const box = this.frame.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.picture.width;
    const y = ((event.clientY - box.top) / box.height) * this.picture.height;
    const within = x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height;
    return within ? [x, y] : null;
  }

  /** Put another picture into the box; its proportions are reserved before it has loaded. */
  setPicture(picture, framing) {
    this.picture = picture;
    this.framing = framing;
    this.root.classList.toggle("va-filled", Boolean(picture));
    if (!picture) return this.image.removeAttribute("src");
    if (this.image.getAttribute("src") !== picture.url) this.image.src = picture.url;
    this.image.alt = picture.alt ?? "";
    const aspect = picture.width / picture.height;
    this.frame.style.setProperty("--va-aspect", aspect);
    return undefined;
  }

  /** Screen pixels of the box; zero while it is not laid out. */
  size() {
    return [this.frame.clientWidth, this.frame.clientHeight];
  }

  /** Draw a frame of a site (or null) with a palette; `mask` replaces it where given. */
  paint(frame, look, mask) {
    const [width, height] = this.size();
    if (!this.picture || width === 0) return;
    this.frame.classList.toggle("va-dimmed", Boolean(frame && !mask));
    this.frame.classList.toggle("va-grey", Boolean(mask));
    const { context, ratio } = sharpen(this.heat, width, height);
    const zoom = (width * ratio) / this.picture.width;
    const down = (height * ratio) / this.picture.height;
    const draw = (image, [left, top, across, high]) => context.drawImage(
      image, left * zoom, top * down, across * zoom, high * down);
    this.edge.hidden = Boolean(mask) || !frame?.profile;
    if (mask) this.drawMask(context, draw, mask, look.opacity);
    else if (frame) this.drawHeat(context, draw, frame, look);
    if (!this.edge.hidden) this.drawEdge(frame, look.table);
  }

  drawHeat(context, draw, frame, { table, opacity, smooth }) {
    const { grid, scale } = frame;
    const colours = colourTable(table, scale, opacity);
    const field = smooth ? smoothed(frame.values, grid.rows, grid.columns)
      : { values: frame.values, rows: grid.rows, columns: grid.columns };
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "low";
    draw(heatImage(field.values, field.rows, field.columns, scale, colours),
      gridBox(this.framing, grid));
  }

  /** Draw the values along an edge: frame.profile = {axis, values, pointed} on the frame's scale. */
  drawEdge(frame, table) {
    const [width, height] = this.size();
    const { context, ratio } = sharpen(this.edge, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const zoom = width / this.picture.width;
    const box = gridBox(this.framing, frame.grid).map((value) => value * zoom);
    drawProfile(context, frame, box, { width, height, table });
  }

  drawMask(context, draw, mask, opacity) {
    context.imageSmoothingEnabled = false;
    context.globalAlpha = opacity;
    const [left, top] = toOriginal(this.framing, [0, 0]);
    draw(mask, [left, top, mask.width / this.framing.scale[0], mask.height / this.framing.scale[1]]);
    context.globalAlpha = 1;
  }

  /** What marks are drawn with, none of them left: null while there is no picture to mark. */
  cleared() {
    const [width, height] = this.size();
    if (!this.picture || width === 0) return null;
    const { context, ratio } = sharpen(this.marks, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const zoom = width / this.picture.width;
    return { context, width, height, zoom, box: (cell) => cell.map((value) => value * zoom) };
  }

  /**
   * Draw what is marked: query = the box of the queried cell, others = boxes that share its token,
   * pointed = boxes under the pointer, reach = {cells, grid} that the query can hear.
   */
  outline({ query, others = [], pinned, pointed = [], reach }) {
    const sheet = this.cleared();
    if (!sheet) return;
    const { context, width, height, zoom, box } = sheet;
    if (reach) {
      context.strokeStyle = "rgba(255, 255, 255, 0.45)";
      context.lineWidth = 1;
      context.beginPath();
      traceReach(context, reach, box(gridBox(this.framing, reach.grid)));
      context.stroke();
    }
    for (const other of others) twice(context, 1.25, (pen) => pen.rect(...grown(box(other))));
    if (query) drawQuery(context, grown(box(query)), width, height, pinned);
    for (const one of pointed) twice(context, 1, (pen) => pen.rect(...grown(box(one))));
    this.hand?.draw?.(context, zoom);
  }
}

/** At least 9 px on screen, so that small cells can be seen; same centre. */
export function grown([left, top, width, height]) {
  const across = Math.max(width, 9);
  const down = Math.max(height, 9);
  return [left + (width - across) / 2, top + (height - down) / 2, across, down];
}

/** Stroke a path dark and wide, then light and thin: legible on any ground. */
export function twice(context, width, path, dash = []) {
  for (const [colour, extra] of [["rgba(0, 0, 0, 0.7)", 1.75], ["rgba(255, 255, 255, 0.95)", 0]]) {
    context.strokeStyle = colour;
    context.lineWidth = width + extra;
    context.setLineDash(extra ? [] : dash);
    context.beginPath();
    path(context);
    context.stroke();
  }
  context.setLineDash([]);
}

export function drawQuery(context, [left, top, across, down], width, height, pinned) {
  const x = left + across / 2;
  const y = top + down / 2;
  context.globalAlpha = pinned ? 0.75 : 0.5;
  twice(context, 0.75, (pen) => {
    for (const [from, to] of [[[0, y], [left - 4, y]], [[left + across + 4, y], [width, y]],
      [[x, 0], [x, top - 4]], [[x, top + down + 4], [x, height]]]) {
      pen.moveTo(...from);
      pen.lineTo(...to);
    }
  }, pinned ? [] : [4, 4]);
  context.globalAlpha = 1;
  twice(context, pinned ? 2 : 1.25,
    (pen) => pen.rect(left - 1.5, top - 1.5, across + 3, down + 3));
}
