// Keys that stand for areas: a box of cells each, over which the key's weight is spread evenly.

import { decodeFloats } from "./codec.js";

const MOST_OUTLINED = 12;

export class Regions {
  /** sent: {count, cells (key x 4: left, top, right, bottom in cells)} */
  constructor(sent, grid) {
    this.grid = grid;
    this.count = sent.count;
    this.boxes = decodeFloats(sent.cells);
  }

  box(key) {
    return this.boxes.subarray(4 * key, 4 * key + 4);
  }

  /** Write weights (key) over the cells of the grid: what a box weighs is shared by its cells. */
  spread(weights, out) {
    const { columns, rows } = this.grid;
    out.fill(0);
    for (let key = 0; key < this.count; key += 1) {
      const [left, top, right, bottom] = this.box(key);
      const density = weights[key] / Math.max((right - left) * (bottom - top), 1e-9);
      for (let y = Math.floor(top); y < Math.min(Math.ceil(bottom), rows); y += 1) {
        const down = density * (Math.min(bottom, y + 1) - Math.max(top, y));
        for (let x = Math.floor(left); x < Math.min(Math.ceil(right), columns); x += 1) {
          out[y * columns + x] += down * (Math.min(right, x + 1) - Math.max(left, x));
        }
      }
    }
    return out;
  }

  /** The keys whose box holds the centre of a cell, those of largest weight first. */
  around(cell, weights) {
    const x = (cell % this.grid.columns) + 0.5;
    const y = Math.floor(cell / this.grid.columns) + 0.5;
    const found = [];
    for (let key = 0; key < this.count; key += 1) {
      const [left, top, right, bottom] = this.box(key);
      if (x >= left && x < right && y >= top && y < bottom) found.push(key);
    }
    return found.sort((a, b) => weights[b] - weights[a]).slice(0, MOST_OUTLINED);
  }

  /** Centre of a key's box in model pixels. */
  centre(key) {
    const [left, top, right, bottom] = this.box(key);
    const { origin, cell } = this.grid;
    return [origin[0] + ((left + right) / 2) * cell[0], origin[1] + ((top + bottom) / 2) * cell[1]];
  }

  /** Box of a key in model pixels: [left, top, width, height]. */
  modelBox(key) {
    const [left, top, right, bottom] = this.box(key);
    const { origin, cell } = this.grid;
    return [origin[0] + left * cell[0], origin[1] + top * cell[1], (right - left) * cell[0],
      (bottom - top) * cell[1]];
  }
}
