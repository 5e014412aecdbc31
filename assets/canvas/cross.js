// Rows over the column and the row of each place, computed from queries and keys.

import { decodeFloats } from "./codec.js";
import { Products } from "./products.js";
import { logits, softmax } from "./rows.js";

/** Where fewer than one of so many places gives anything, each of them gives by itself. */
const FEW = 16;

/** softmax of q . k over the column and the row of a place, which itself is in its row alone. */
export class Cross {
  constructor(sent) {
    Object.assign(this, { rows: sent.rows, columns: sent.columns, dim: sent.dim });
    this.query = decodeFloats(sent.query);
    this.key = decodeFloats(sent.key);
    this.queries = sent.rows * sent.columns;
    this.keys = this.queries;
    this.line = new Float32Array(sent.rows + sent.columns);
    this.parts = { down: this.line.subarray(0, sent.rows), across: this.line.subarray(sent.rows) };
    this.kept = [];
  }

  row(head, query, out) {
    const { rows, columns, line, parts } = this;
    const x = query % columns;
    this.weigh(head, query);
    out.fill(0);
    for (let y = 0; y < rows; y += 1) out[y * columns + x] = line[y];
    out.set(parts.across, query - x);
  }

  /** Write the weights of a place into the line: of its column, then of its row. */
  weigh(head, place) {
    const { columns, dim, query, key, line, parts } = this;
    const first = head * this.keys * dim;
    const asked = { from: first + place * dim, dim, scale: 1 };
    const x = place % columns;
    logits(query, key, { ...asked, keyFrom: first + x * dim, step: columns * dim }, parts.down);
    logits(query, key, { ...asked, keyFrom: first + (place - x) * dim, step: dim }, parts.across);
    line[(place - x) / columns] = -Infinity;
    softmax(line);
  }

  /**
   * The weights that a head was found to have: those of a place are made when first needed. The
   * weights that one key gets lie side by side: down (column, key, query), across (row, key, query).
   */
  tables(head) {
    const { queries, rows, columns } = this;
    this.kept[head] ??= { known: new Uint8Array(queries),
      down: new Products(columns, rows, rows), across: new Products(rows, columns, columns) };
    return this.kept[head];
  }

  /** Know the weights of all places that give something, and return how many these are. */
  know(head, weights) {
    const { known } = this.tables(head);
    let giving = 0;
    for (let place = 0; place < weights.length; place += 1) {
      if (weights[place] === 0) continue;
      giving += 1;
      if (!known[place]) this.learn(head, place);
    }
    return giving;
  }

  learn(head, place) {
    const { rows, columns, parts } = this;
    const { known, down, across } = this.tables(head);
    this.weigh(head, place);
    const x = place % columns;
    const y = (place - x) / columns;
    for (let k = 0, at = down.place(x, 0, y); k < rows; k += 1, at += down.length) {
      down.table[at] = parts.down[k];
    }
    for (let k = 0, at = across.place(y, 0, x); k < columns; k += 1, at += across.length) {
      across.table[at] = parts.across[k];
    }
    known[place] = 1;
  }

  push(head, weights, out) {
    const giving = this.know(head, weights);
    if (giving * FEW < weights.length) this.scatter(head, weights, out);
    else this.gather(head, weights, out);
  }

  /** Give what few places have to the places in line with each. */
  scatter(head, weights, out) {
    const { rows, columns } = this;
    const { down, across } = this.tables(head);
    for (let place = 0; place < weights.length; place += 1) {
      const weight = weights[place];
      if (weight === 0) continue;
      const x = place % columns;
      const y = (place - x) / columns;
      for (let k = 0, at = down.place(x, 0, y); k < rows; k += 1, at += down.length) {
        out[k * columns + x] += weight * down.table[at];
      }
      for (let k = 0, at = across.place(y, 0, x); k < columns; k += 1, at += across.length) {
        out[y * columns + k] += weight * across.table[at];
      }
    }
  }

  /** Get for each place what all places in line with it give. */
  gather(head, weights, out) {
    const { rows, columns } = this;
    const { down, across } = this.tables(head);
    for (let x = 0; x < columns; x += 1) {
      for (let y = 0; y < rows; y += 1) down.line[y] = weights[y * columns + x];
      const sums = down.of(x);
      for (let y = 0; y < rows; y += 1) out[y * columns + x] += sums[y];
    }
    for (let y = 0; y < rows; y += 1) {
      const first = y * columns;
      for (let x = 0; x < columns; x += 1) across.line[x] = weights[first + x];
      const sums = across.of(y);
      for (let x = 0; x < columns; x += 1) out[first + x] += sums[x];
    }
  }

  /** The places in line with a query. */
  heard(head, query) {
    const x = query % this.columns;
    const found = new Set();
    for (let at = query - x; at < query - x + this.columns; at += 1) found.add(at);
    for (let at = x; at < this.keys; at += this.columns) found.add(at);
    return found;
  }
}
