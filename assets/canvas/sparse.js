// Rows as lists of keys and weights.

import { decodeKeys, decodeLines } from "./codec.js";

const NONE = 2 ** 16 - 1;

/** What lists keys, or all of them without a list. */
export function openListed(sent, heads, keys) {
  return sent.keys ? new Sparse(sent, heads, keys) : new Dense(sent, heads);
}

/** A list of keys for each query; -1 is no key, and a key that comes twice has both weights. */
class Sparse {
  constructor(sent, heads, keys) {
    this.count = sent.count;
    this.weights = decodeLines(sent);
    this.queries = this.weights.length / (heads * sent.count);
    this.keys = keys;
    this.list = listOf(sent.keys, keys);
    this.shared = this.list.length < this.weights.length;
    this.sums = new Float32Array(keys + 1);
  }

  row(head, query, out) {
    this.sums.fill(0);
    this.gather(head, query, query + 1, null);
    out.set(this.sums.subarray(0, this.keys));
  }

  push(head, weights, out) {
    this.sums.fill(0);
    this.gather(head, 0, this.queries, weights);
    for (let j = 0; j < out.length; j += 1) out[j] += this.sums[j];
  }

  /** Add the rows of some queries, each times its factor. */
  gather(head, first, end, factors) {
    const { count, list, weights, sums } = this;
    const whole = count - (count % 4);
    for (let query = first; query < end; query += 1) {
      const factor = factors ? factors[query] : 1;
      if (factor === 0) continue;
      let at = (head * this.queries + query) * count;
      let key = this.shared ? query * count : at;
      for (const stop = at + whole; at < stop; at += 4, key += 4) {
        sums[list[key]] += factor * weights[at];
        sums[list[key + 1]] += factor * weights[at + 1];
        sums[list[key + 2]] += factor * weights[at + 2];
        sums[list[key + 3]] += factor * weights[at + 3];
      }
      for (let k = whole; k < count; k += 1, at += 1, key += 1) {
        sums[list[key]] += factor * weights[at];
      }
    }
  }

  /** The keys that a query hears, each once. */
  heard(head, query) {
    const from = ((this.shared ? 0 : head * this.queries) + query) * this.count;
    const found = new Set(this.list.subarray(from, from + this.count));
    found.delete(this.keys);
    return found;
  }
}

/** What has no key goes to a place after the last one, which no row has: no test in the loops. */
function listOf(sent, keys) {
  const decoded = decodeKeys(sent);
  const none = sent.bytes === 2 ? NONE : -1;
  const list = keys <= NONE ? decoded : Int32Array.from(decoded);
  for (let at = 0; at < list.length; at += 1) if (list[at] === none) list[at] = keys;
  return list;
}

/** Every key has a weight, in order. */
class Dense {
  constructor(sent, heads) {
    this.keys = sent.count;
    this.weights = decodeLines(sent);
    this.queries = this.weights.length / (heads * this.keys);
  }

  row(head, query, out) {
    const from = (head * this.queries + query) * this.keys;
    out.set(this.weights.subarray(from, from + this.keys));
  }

  push(head, weights, out) {
    const { keys, queries } = this;
    for (let query = 0; query < queries; query += 1) {
      const factor = weights[query];
      if (factor === 0) continue;
      const from = (head * queries + query) * keys;
      for (let j = 0; j < keys; j += 1) out[j] += factor * this.weights[from + j];
    }
  }

  heard() {
    return null;
  }
}
