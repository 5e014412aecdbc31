// One analysis of a pair, decoded: density, gates, and the rows between the senses.

import { decodeBytes, decodeFloats, decodeHalves } from "../canvas/codec.js";
import { cellAt, cells, toModel } from "../canvas/grids.js";
import { countInside } from "./areas.js";
import { other } from "./state.js";
import { overCells, tokenAt, tokenRow } from "./tokens.js";

export class Scene {
  constructor(payload) {
    this.payload = payload;
    this.frame = payload.frame;
    this.framing = payload.framing;
    this.density = { grid: payload.density.grid, values: decodeFloats(payload.density.values) };
    this.count = payload.density.count;
    this.gates = new Map(payload.gates.map((gate) => [gate.stage,
      { ...gate, values: decodeHalves(decodeBytes(gate.rgb).buffer) }]));
    this.sites = new Map(payload.sites.map((site) => [`${site.stage} ${site.asking}`, site]));
    this.factors = new Map();
    this.kept = null;
    // The server sends the row on show along, so that it follows before its factors have come.
    this.sent = payload.row && { ...payload.row, row: decodeFloats(payload.row.values) };
  }

  get senses() {
    return this.payload.senses;
  }

  site(stage, asking) {
    return this.sites.get(`${stage} ${asking}`) ?? null;
  }

  /** Whether rows of a stage can be computed here. */
  hasFactors(stage) {
    return this.factors.has(stage);
  }

  /** Take the factors of a stage: of each direction the queries, then the keys, as float16. */
  takeFactors(stage, buffer) {
    let from = 0;
    const take = (site) => {
      const values = decodeHalves(buffer, from, site.tokens * site.dim);
      from += 2 * values.length;
      return values;
    };
    const found = {};
    for (const asking of ["rgb", "thermal"]) {
      const site = this.site(stage, asking);
      if (site) found[asking] = { query: take(site), key: take(site) };
    }
    this.factors.set(stage, found);
  }

  /**
   * The row of the place that one sense asks from: over the tokens, and over the cells of the
   * other sense. Null while its factors are not here.
   */
  row(stage, asking, at) {
    const site = this.site(stage, asking);
    if (!site) return null;
    const token = tokenAt(site, this.framing, at);
    const name = `${stage} ${asking} ${token}`;
    if (this.kept?.name === name) return this.kept;
    const row = this.tokenRow(site, stage, asking, token);
    if (!row) return null;
    this.kept = { name, site, token, row, over: other(asking), values: overCells(row, site.grid),
      cell: cellAt(site.grid, toModel(this.framing, at)) };
    return this.kept;
  }

  tokenRow(site, stage, asking, token) {
    const factors = this.factors.get(stage)?.[asking];
    if (factors) return tokenRow(site, factors, token);
    const { sent } = this;
    return sent?.stage === stage && sent.asking === asking && sent.token === token ? sent.row : null;
  }

  /** People inside a polygon of pixels of the frame. */
  countIn(polygon) {
    return countInside(polygon, this.density, this.framing, this.frame);
  }

  /** How many tokens a stage's map has of how many cells. */
  tokens(stage) {
    const site = this.site(stage, "rgb");
    return site && { tokens: site.tokens, cells: cells(site.grid), bands: site.bands };
  }
}
