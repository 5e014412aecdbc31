// Rows inside groups of places, computed from queries and keys.

import { decodeFloats, decodeKeys } from "./codec.js";
import { logits, softmax } from "./rows.js";

/** softmax of scale * q . k over the places of a query's own group. */
export class Grouped {
  constructor(sent, heads) {
    Object.assign(this, { dim: sent.dim, scale: sent.scale });
    this.query = decodeFloats(sent.query);
    this.groups = decodeKeys(sent.groups);
    this.queries = this.groups.length;
    this.keys = this.queries;
    this.sort();
    this.key = this.sorted(decodeFloats(sent.key), heads);
  }

  /** List the places group by group: those of group g are from starts[g] to starts[g + 1]. */
  sort() {
    const { groups, queries } = this;
    this.order = Int32Array.from(groups.keys()).sort((a, b) => groups[a] - groups[b] || a - b);
    this.starts = new Int32Array(groups.reduce((most, group) => Math.max(most, group), 0) + 2);
    for (const group of groups) this.starts[group + 1] += 1;
    for (let i = 1; i < this.starts.length; i += 1) this.starts[i] += this.starts[i - 1];
    this.line = new Float32Array(queries);
  }

  /** Keys of a group stand side by side. */
  sorted(key, heads) {
    const { dim, keys, order } = this;
    const turned = new Float32Array(key.length);
    for (let head = 0; head < heads; head += 1) {
      order.forEach((place, at) => {
        const from = (head * keys + place) * dim;
        turned.set(key.subarray(from, from + dim), (head * keys + at) * dim);
      });
    }
    return turned;
  }

  row(head, query, out) {
    out.fill(0);
    this.add(head, query, 1, out);
  }

  push(head, weights, out) {
    for (let query = 0; query < weights.length; query += 1) {
      if (weights[query] !== 0) this.add(head, query, weights[query], out);
    }
  }

  /** Add the row of a query, times a factor. */
  add(head, query, factor, out) {
    const { dim, scale, keys, order, starts } = this;
    const group = this.groups[query];
    const first = starts[group];
    const line = this.line.subarray(first, starts[group + 1]);
    const from = (head * keys + query) * dim;
    const keyFrom = (head * keys + first) * dim;
    logits(this.query, this.key, { from, keyFrom, step: dim, dim, scale }, line);
    softmax(line);
    for (let i = 0; i < line.length; i += 1) out[order[first + i]] += factor * line[i];
  }

  heard(head, query) {
    const group = this.groups[query];
    return new Set(this.order.subarray(this.starts[group], this.starts[group + 1]));
  }
}
