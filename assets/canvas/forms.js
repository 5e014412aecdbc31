// The forms in which an affinity is sent, and the exact rows of each, without its matrix.

import { decodeFloats } from "./codec.js";
import { Cross } from "./cross.js";
import { cells } from "./grids.js";
import { Grouped } from "./grouped.js";
import { Regions } from "./regions.js";
import { headRow, pushRows } from "./rows.js";
import { openListed } from "./sparse.js";

/** Factors are sent as text, or made here. */
function numbers(sent) {
  return typeof sent === "string" ? decodeFloats(sent) : sent;
}

/** normaliser(scale * q . k), held as queries and keys. */
class Product {
  constructor(sent, heads) {
    this.factors = { dim: sent.dim, scale: sent.scale, normaliser: sent.normaliser,
      query: numbers(sent.query), key: numbers(sent.key) };
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

/** The row of the first stage, pushed through the others: r A B ..., head by head. */
class Composed {
  constructor(sent, heads, keys, grid) {
    // The keys of a stage are the queries of the next, so the last one is opened first.
    this.stages = [];
    for (const stage of [...sent.stages].reverse()) {
      this.stages.unshift(openOverCells(stage, heads, this.stages[0]?.queries ?? keys, grid));
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

/** Rows over areas, as rows over the cells of the grid. */
class Spread {
  constructor(sent, heads, grid) {
    this.regions = new Regions(sent.regions, grid);
    this.of = openForm(sent, heads, this.regions.count, grid);
    this.queries = this.of.queries;
    this.keys = cells(grid);
    this.weights = new Float32Array(this.regions.count);
    this.cells = new Float32Array(this.keys);
  }

  row(head, query, out) {
    this.of.row(head, query, this.weights);
    this.regions.spread(this.weights, out);
  }

  push(head, weights, out) {
    this.weights.fill(0);
    this.of.push(head, weights, this.weights);
    this.regions.spread(this.weights, this.cells);
    for (let j = 0; j < out.length; j += 1) out[j] += this.cells[j];
  }

  heard() {
    return null;
  }
}

const FORMS = {
  product: (sent, heads) => new Product(sent, heads),
  sparse: openListed,
  cross: (sent) => new Cross(sent),
  grouped: (sent, heads) => new Grouped(sent, heads),
  composed: (sent, heads, keys, grid) => new Composed(sent, heads, keys, grid),
};

/** Open what the browser was sent; `keys` is needed where the form does not tell it. */
function openForm(sent, heads, keys, grid) {
  const open = FORMS[sent.form];
  if (!open) throw new Error(`expected a form of ${Object.keys(FORMS)}, received ${sent.form}`);
  return open(sent, heads, keys, grid);
}

function openOverCells(sent, heads, keys, grid) {
  return sent.regions ? new Spread(sent, heads, grid) : openForm(sent, heads, keys, grid);
}

/**
 * The areas that the keys of an affinity stand for, or null. Where there are as many as cells, the
 * keys are cells after all, and what stands for an area besides is only a part of each.
 */
function areasOf(sent, grid) {
  return sent.regions && sent.regions.count < cells(grid) ? new Regions(sent.regions, grid) : null;
}

/** The rows of an affinity of some heads, written into one array unless another is given. */
export class Rows {
  /** `extra` keys come before those of the grid; they are no places. */
  constructor(sent, heads, grid, { extra = 0, bands = 1 } = {}) {
    this.areas = areasOf(sent, grid);
    this.form = this.areas ? openForm(sent, heads, extra + this.areas.count, grid)
      : openOverCells(sent, heads, extra + cells(grid) / bands, grid);
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
