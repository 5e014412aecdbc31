// The forms in which an affinity is sent, and the exact rows of each, without its matrix.

import { decodeFloats, decodeIntegers } from "./codec.js";
import { headRow, pushRows } from "./rows.js";

/** normaliser(scale * q . k), held as queries and keys. */
class Product {
  constructor(sent, heads) {
    this.factors = { dim: sent.dim, scale: sent.scale, normaliser: sent.normaliser,
      query: decodeFloats(sent.query), key: decodeFloats(sent.key) };
    this.queries = this.factors.query.length / (heads * sent.dim);
    this.keys = this.factors.key.length / (heads * sent.dim);
    Object.assign(this.factors, { queries: this.queries, keys: this.keys });
  }

  row(head, query, out) {
    headRow(this.factors, head, query, out);
  }

  push(head, weights, out) {
    pushRows(this.factors, head, weights, out);
  }

  /** A product weighs every key. */
  heard() {
    return null;
  }
}

/** A list of keys for each query; -1 is no key, and a key that comes twice has both weights. */
class Sparse {
  constructor(sent, heads, keys) {
    this.count = sent.count;
    this.list = decodeIntegers(sent.keys);
    this.weights = decodeFloats(sent.weights);
    this.queries = this.weights.length / (heads * sent.count);
    this.shared = this.list.length < this.weights.length;
    this.keys = keys;
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

  add(head, query, factor, out) {
    const { count, list, weights } = this;
    const at = (head * this.queries + query) * count;
    const from = this.shared ? query * count : at;
    for (let k = 0; k < count; k += 1) {
      const key = list[from + k];
      if (key >= 0) out[key] += factor * weights[at + k];
    }
  }

  /** The keys that a query hears, each once. */
  heard(head, query) {
    const from = ((this.shared ? 0 : head * this.queries) + query) * this.count;
    return new Set(this.list.subarray(from, from + this.count).filter((key) => key >= 0));
  }
}

/** The row of the first stage, pushed through the others: r A B ..., head by head. */
class Composed {
  constructor(sent, heads, keys) {
    // The keys of a stage are the queries of the next, so the last one is opened first.
    this.stages = [];
    for (const stage of [...sent.stages].reverse()) {
      this.stages.unshift(openForm(stage, heads, this.stages[0]?.queries ?? keys));
    }
    this.queries = this.stages[0].queries;
    this.keys = this.stages.at(-1).keys;
    this.between = this.stages.slice(0, -1).map((stage) => new Float32Array(stage.keys));
  }

  row(head, query, out) {
    const buffers = [...this.between, out];
    this.stages[0].row(head, query, buffers[0]);
    this.follow(head, buffers);
  }

  push(head, weights, out) {
    const buffers = [...this.between, new Float32Array(out.length)];
    buffers[0].fill(0);
    this.stages[0].push(head, weights, buffers[0]);
    this.follow(head, buffers);
    for (let j = 0; j < out.length; j += 1) out[j] += buffers.at(-1)[j];
  }

  follow(head, buffers) {
    for (let i = 1; i < this.stages.length; i += 1) {
      buffers[i].fill(0);
      this.stages[i].push(head, buffers[i - 1], buffers[i]);
    }
  }

  heard() {
    return null;
  }
}

const FORMS = { product: Product, sparse: Sparse, composed: Composed };

/** Open what the browser was sent; `keys` is needed where the form does not tell it. */
function openForm(sent, heads, keys) {
  const Form = FORMS[sent.form];
  if (!Form) throw new Error(`expected a form of ${Object.keys(FORMS)}, received ${sent.form}`);
  return new Form(sent, heads, keys);
}

/** The rows of an affinity of some heads, written into one array unless another is given. */
export class Rows {
  constructor(sent, heads, keys) {
    this.form = openForm(sent, heads, keys);
    this.heads = heads;
    this.queries = this.form.queries;
    this.keys = this.form.keys;
    this.out = new Float32Array(this.keys);
    this.one = new Float32Array(this.keys);
  }

  /** Row of a head, or the mean of the rows of all heads where head is "mean". */
  row(head, query, out = this.out) {
    const { one, form, heads } = this;
    if (head !== "mean") {
      form.row(head, query, out);
      return out;
    }
    out.fill(0);
    for (let which = 0; which < heads; which += 1) {
      form.row(which, query, one);
      for (let j = 0; j < out.length; j += 1) out[j] += one[j] / heads;
    }
    return out;
  }

  /** The keys that a query can hear at all: a set, or null where these are all. */
  heard(head, query) {
    if (head !== "mean") return this.form.heard(head, query);
    const sets = Array.from({ length: this.heads }, (_, one) => this.form.heard(one, query));
    return sets[0] && new Set(sets.flatMap((set) => [...set]));
  }
}
