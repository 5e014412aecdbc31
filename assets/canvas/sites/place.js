// A place affinity: each place of the picture has a row of weights over all places.

import { decodeFloats } from "../codec.js";
import { makeScale, signedScale } from "../colours.js";
import { number, percent } from "../format.js";
import { cellAt, cellBox, cellCentre, cells, rowColumn, toModel, toOriginal } from "../grids.js";
import { headRow, rowOf } from "../rows.js";
import { describeRow, largest, topIndices } from "../statistics.js";
import { placeSentence } from "../words.js";

const FIXED_UNIFORM = 20;
const SAMPLED_ROWS = 64;

export class PlaceSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = site.heads ?? 1;
    this.pointerGrid = site.query_grid;
    this.keyGrid = site.key_grid;
    this.signed = site.claim === "signed" || site.affinity.normaliser === "mean";
    this.simplex = site.affinity.normaliser === "softmax";
    this.detail = "none";
    this.kept = { cell: -1, head: null, row: null };
    this.bounds = new Map();
  }

  /** The factors are decoded when a row is first asked for. */
  get factors() {
    if (!this.decoded) {
      const { query, key, ...rest } = this.site.affinity;
      this.decoded = { ...rest, query: decodeFloats(query), key: decodeFloats(key),
        queries: cells(this.pointerGrid), keys: cells(this.keyGrid) };
    }
    return this.decoded;
  }

  /** The queried place: the pinned one, else the one last pointed at. */
  place(state) {
    return state.pin ?? state.asked;
  }

  cell(state) {
    const place = this.place(state);
    return place ? cellAt(this.pointerGrid, toModel(this.scene.framing, place)) : -1;
  }

  /** The row on show, or null before any place was asked for. */
  row(state) {
    const cell = this.cell(state);
    if (cell < 0) return null;
    const head = state.head === "mean" ? "mean" : Math.min(state.head, this.heads - 1);
    if (this.kept.cell !== cell || this.kept.head !== head) {
      this.kept = { cell, head, row: rowOf(this.factors, this.heads, head, cell) };
    }
    return this.kept.row;
  }

  scale(state, row) {
    if (state.scale === "fixed") return this.fixedScale();
    const size = largest(row);
    return this.signed ? signedScale(size) : makeScale(0, size);
  }

  fixedScale() {
    if (this.simplex) return makeScale(0, Math.min(1, FIXED_UNIFORM / cells(this.keyGrid)));
    const bound = this.sampledBound();
    return this.signed ? signedScale(bound) : makeScale(0, bound);
  }

  /** Largest magnitude among some rows spread over all queries and heads. */
  sampledBound() {
    if (!this.bounds.has("all")) {
      const out = new Float32Array(this.factors.keys);
      const stride = Math.max(1, Math.floor(this.factors.queries / SAMPLED_ROWS));
      let bound = 0;
      for (let head = 0; head < this.heads; head += 1) {
        for (let query = 0; query < this.factors.queries; query += stride) {
          bound = Math.max(bound, largest(headRow(this.factors, head, query, out)));
        }
      }
      this.bounds.set("all", bound);
    }
    return this.bounds.get("all");
  }

  /** What to draw over the picture. */
  frame(state) {
    const row = this.row(state);
    if (!row) return null;
    return { values: row, grid: this.keyGrid, scale: this.scale(state, row),
      query: cellBox(this.scene.framing, this.pointerGrid, this.cell(state)) };
  }

  /** What the colour bar says. */
  legend(state, say) {
    const row = this.row(state);
    const count = cells(this.keyGrid);
    const label = state.scale === "fixed" ? this.fixedLabel(say)
      : say(this.signed ? "bar.row_signed" : "bar.row", { value: number(largest(row)) });
    if (!this.simplex) return { label, ticks: [] };
    const uniform = { value: 1 / count, name: say("bar.uniform_name"), label: say("bar.uniform",
      { count, value: number(1 / count, 2) }) };
    return { label, ticks: [uniform] };
  }

  fixedLabel(say) {
    const value = number(this.fixedScale().high);
    return this.simplex ? say("bar.fixed_uniform", { times: FIXED_UNIFORM, value })
      : say("bar.fixed_sampled", { value });
  }

  /** The value of the row under the pointer. */
  pointed(state) {
    const row = this.row(state);
    const place = state.pointer ?? state.pin;
    if (!row || !place) return null;
    const index = cellAt(this.keyGrid, toModel(this.scene.framing, place));
    return { value: row[index], cell: rowColumn(this.keyGrid, index),
      box: cellBox(this.scene.framing, this.keyGrid, index),
      times: this.simplex ? row[index] * row.length : null };
  }

  numbers(state, say) {
    const row = this.row(state);
    if (!row) return [];
    const facts = describeRow(row);
    const own = this.selfIndex(state);
    return [
      [say("numbers.maximum"), number(facts.maximum)],
      ...(this.signed ? [[say("numbers.minimum"), number(facts.minimum)]] : []),
      [say("numbers.sum"), number(facts.sum, 4)],
      [say(this.signed ? "numbers.entropy_signed" : "numbers.entropy"),
        say("numbers.entropy_value",
          { nats: facts.entropy.toFixed(2), share: percent(facts.evenness) })],
      [say("numbers.effective"),
        say("numbers.of", { value: number(facts.effective), total: row.length })],
      [say("numbers.self"), number(row[own])],
    ];
  }

  /** The key cell that holds the centre of the queried cell. */
  selfIndex(state) {
    return cellAt(this.keyGrid, cellCentre(this.pointerGrid, this.cell(state)));
  }

  /** The keys of largest weight: label, weight, their place, and the class there. */
  top(state, say) {
    const row = this.row(state);
    if (!row) return null;
    const entries = topIndices(row, 5).map((index) => {
      const [line, column] = rowColumn(this.keyGrid, index);
      const place = toOriginal(this.scene.framing, cellCentre(this.keyGrid, index));
      return { label: say("top.place", { row: line, column }), weight: row[index],
        place, under: this.scene.segmentation?.at(place) ?? null };
    });
    return { title: say("top.places"), entries };
  }

  sentence(state, say) {
    const row = this.row(state);
    if (!row) return say("sentence.none");
    const { framing, picture } = this.scene;
    const centres = (index) => {
      const [x, y] = toOriginal(framing, cellCentre(this.keyGrid, index));
      return [x / picture.width, y / picture.height];
    };
    const place = toOriginal(framing, cellCentre(this.pointerGrid, this.cell(state)));
    return placeSentence(row, centres, place, picture, this.signed, say);
  }

  thumbnail(state) {
    return this.frame(state);
  }
}
