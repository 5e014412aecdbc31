// A table as heat: queries (or other rows) down, keys (or other columns) across.

import { colourTable } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { heatImage } from "./heat.js";

export class Matrix {
  /** act: {pointRow(row), pointCell(row, column | null), chooseRow(row | null), moveRow(row)} */
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
    square.addEventListener("pointermove", (event) => this.point(event));
    square.addEventListener("pointerdown", (event) => this.point(event));
    square.addEventListener("pointerleave", () => {
      if (this.view?.cells) act.pointCell(this.view.query, null);
    });
    square.addEventListener("click", (event) => act.chooseRow(this.rowAt(event)));
    square.addEventListener("keydown", (event) => this.key(event));
  }

  point(event) {
    if (!this.view.cells) return this.act.pointRow(this.rowAt(event));
    const box = this.square.getBoundingClientRect();
    const { columns } = this.view;
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    return this.act.pointCell(this.rowAt(event), within(column, columns));
  }

  rowAt(event) {
    const box = this.square.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.view.rows);
    return within(row, this.view.rows);
  }

  key(event) {
    const { query, column, rows, columns, cells } = this.view;
    const far = event.shiftKey ? 5 : 1;
    const across = { ArrowLeft: -far, ArrowRight: far }[event.key];
    if (cells && across) {
      this.view = { ...this.view, column: within(column === null ? 0 : column + across, columns) };
      this.act.pointCell(query, this.view.column);
      event.preventDefault();
      return;
    }
    const next = { ArrowUp: query - far, ArrowLeft: query - far, ArrowDown: query + far,
      ArrowRight: query + far, Home: 0, End: rows - 1 }[event.key];
    if (next !== undefined) {
      // The next key may come before the next frame: it goes on from here.
      this.view = { ...this.view, query: within(next, rows) };
      this.act.moveRow(this.view.query);
    } else if (event.key === "Enter" || event.key === " ") {
      this.act.chooseRow(query);
    } else if (event.key === "Escape") {
      this.act.chooseRow(null);
    } else return;
    event.preventDefault();
  }

  /** view: {values, rows, columns, scale, query, column, cells, pinned, caption, label, said} */
  show(view, table) {
    this.view = view;
    this.draw(view, table);
    this.caption.textContent = view.caption;
    const said = { "aria-label": view.label, "aria-valuemax": view.rows - 1,
      "aria-valuenow": view.query, "aria-valuetext": view.said };
    for (const [name, value] of Object.entries(said)) this.square.setAttribute(name, value);
  }

  draw(view, table) {
    const [width, height] = [this.square.clientWidth, this.square.clientHeight];
    if (width === 0 || height === 0) return;
    const { context, ratio } = sharpen(this.canvas, width, height);
    context.imageSmoothingEnabled = false;
    const opaque = colourTable(table, view.scale, 1).map((value, i) => (i % 4 === 3 ? 255 : value));
    const image = heatImage(view.values, view.rows, view.columns, view.scale, opaque);
    context.drawImage(image, 0, 0, width * ratio, height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [top, tall] = span(view.query, height / view.rows);
    const row = [0.5, top - 1, width - 1, tall + 2];
    const boxes = [row];
    if (view.column !== null) {
      const [left, wide] = span(view.column, width / view.columns);
      boxes.push([left - 1, top - 1, wide + 2, tall + 2]);
    }
    for (const [colour, thick] of [["rgba(0, 0, 0, 0.8)", 3], ["#fff", view.pinned ? 1.5 : 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      for (const box of boxes) context.strokeRect(...box);
    }
  }
}

/** Where an entry begins and how long it is, seen even where it is thin. */
function span(index, step) {
  const long = Math.max(step, 3);
  return [(index + 0.5) * step - long / 2, long];
}

function within(index, count) {
  return Math.min(Math.max(index, 0), count - 1);
}
