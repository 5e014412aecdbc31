// The picture of one sense on the frame of the pair, with what is drawn and marked on it.

import { h } from "../canvas/dom.js";
import { cellBox, gridBox, rowColumn } from "../canvas/grids.js";
import { Stage, drawQuery, grown, twice } from "../canvas/stage.js";

const SMALLEST = 5;

export class Pane extends Stage {
  /** act: what a Stage asks for, with pen(place, event) for drawing. */
  constructor(sense, act, onProblem) {
    super(act, onProblem);
    this.sense = sense;
    this.title = h("span", { class: "vc-pane-title" });
    this.facts = h("span", { class: "vc-pane-facts" });
    this.role = h("span", { class: "vc-pane-role" });
    this.caption = h("p", { class: "vc-caption" }, this.title, this.facts, this.role);
    this.whole = h("figure", { class: "vc-pane", "data-sense": sense }, this.caption, this.root);
    this.frame.addEventListener("pointerdown", (event) => this.pen("down", event));
    this.frame.addEventListener("pointermove", (event) => this.pen("move", event));
    this.frame.addEventListener("pointerup", (event) => this.pen("up", event));
  }

  pen(step, event) {
    const { act } = this;
    if (!act.drawing()) return;
    if (step === "down") this.frame.setPointerCapture(event.pointerId);
    act.pen(step, this.clamped(event));
    event.preventDefault();
  }

  /** The place under an event, moved onto the picture where it is beside it. */
  clamped(event) {
    const box = this.frame.getBoundingClientRect();
    const share = (value, from, size) => Math.min(Math.max((value - from) / size, 0), 1);
    return [share(event.clientX, box.left, box.width) * this.picture.width,
      share(event.clientY, box.top, box.height) * this.picture.height];
  }

  /**
   * Show a picture on a frame: box = [left, top, width, height] of it in pixels of the frame;
   * light multiplies its levels, and a blank one is black.
   */
  place(frame, picture, box, look) {
    this.setPicture(picture && { ...picture, width: frame.width, height: frame.height },
      look.framing);
    if (!picture) return;
    const [left, top, width, height] = box;
    const part = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(this.image.style, { left: part(left, frame.width), top: part(top, frame.height),
      width: part(width, frame.width), height: part(height, frame.height) });
    this.frame.style.setProperty("--vc-light", look.blank ? 0 : look.light);
  }

  /**
   * Draw what is marked: {boxes, pinned, pointed, bands, peaks, region, open}; boxes[0] is the
   * queried cell, the others share its token; bands = {site, starts}.
   */
  mark(view) {
    const sheet = this.cleared();
    if (!sheet) return;
    const { context, width, height, zoom, box } = sheet;
    if (view.bands) this.drawBands(context, view.bands, zoom);
    if (view.region) this.drawRegion(context, view.region, view.open, zoom);
    for (const peak of view.peaks ?? []) drawPeak(context, peak, zoom);
    for (const cell of (view.boxes ?? []).slice(1)) {
      twice(context, 1.25, (pen) => pen.rect(...seen(box(cell))));
    }
    if (view.boxes) drawQuery(context, grown(box(view.boxes[0])), width, height, view.pinned);
    for (const cell of view.pointed ?? []) {
      twice(context, 1, (pen) => pen.rect(...seen(box(cell))));
    }
    if (view.cross) drawCross(context, view.cross.map((value) => value * zoom), width, height);
  }

  /** Thin lines where one band of a re-assembled map ends and the next begins. */
  drawBands(context, { site, starts }, zoom) {
    const [left, , width] = gridBox(this.framing, site.grid);
    context.strokeStyle = "rgba(255, 255, 255, 0.55)";
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    for (const cell of starts) {
      const [, column] = rowColumn(site.grid, cell);
      const [x, y, , tall] = cellBox(this.framing, site.grid, cell);
      context.beginPath();
      // A band may begin in the middle of a line of cells: its edge then has a step.
      if (column > 0) context.moveTo(left * zoom, (y + tall) * zoom);
      if (column > 0) context.lineTo(x * zoom, (y + tall) * zoom);
      context.lineTo(x * zoom, y * zoom);
      context.lineTo((left + width) * zoom, y * zoom);
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawRegion(context, corners, open, zoom) {
    const path = (pen) => {
      corners.forEach(([x, y], i) => (i ? pen.lineTo(x * zoom, y * zoom)
        : pen.moveTo(x * zoom, y * zoom)));
      if (!open) pen.closePath();
    };
    if (!open) {
      context.fillStyle = "rgba(255, 255, 255, 0.12)";
      context.beginPath();
      path(context);
      context.fill("nonzero");
    }
    twice(context, 1.5, path, open ? [5, 4] : []);
    if (open) {
      const [x, y] = corners[0].map((value) => value * zoom);
      twice(context, 1.5, (pen) => pen.arc(x, y, 4, 0, 2 * Math.PI));
    }
  }
}

function seen([left, top, width, height]) {
  const across = Math.max(width, SMALLEST);
  const down = Math.max(height, SMALLEST);
  return [left + (width - across) / 2, top + (height - down) / 2, across, down];
}

function drawPeak(context, [x, y], zoom) {
  twice(context, 1.5, (pen) => pen.arc(x * zoom, y * zoom, 4, 0, 2 * Math.PI));
}

/** Where the pointer is in the other picture. */
function drawCross(context, [x, y], width, height) {
  context.globalAlpha = 0.6;
  twice(context, 0.75, (pen) => {
    for (const [from, to] of [[[x - 9, y], [x - 3, y]], [[x + 3, y], [x + 9, y]],
      [[x, y - 9], [x, y - 3]], [[x, y + 3], [x, y + 9]]]) {
      pen.moveTo(...from);
      pen.lineTo(...to);
    }
  });
  context.globalAlpha = 1;
}
