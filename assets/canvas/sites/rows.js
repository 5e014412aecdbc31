// Rows: each place of the picture (or a token that is no place) weighs all keys.

import { makeScale, signedScale } from "../colours.js";
import { number, percent } from "../format.js";
import { Rows } from "../forms.js";
import { cellAt, cellBox, cellCentre, cells, rowColumn, toModel, toOriginal } from "../grids.js";
import { describeRow, extent, largest, topIndices } from "../statistics.js";
import { placeSentence, rowSentence } from "../words.js";

const FIXED_UNIFORM = 20;
const SAMPLED_ROWS = 64;
/** Kinds whose claim speaks of rows; others come to rows in a roundabout way, with no promise. */
const OF_ROWS = new Set(["place_affinity", "token_affinity", "channel_place_affinity"]);

export class RowsSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = site.heads ?? 1;
    this.pointerGrid = site.query_grid;
    this.keyGrid = site.key_grid;
    this.extra = site.extra ?? [];
    this.bands = site.bands ?? 1;
    this.simplex = OF_ROWS.has(site.kind) && site.claim === "simplex";
    this.dense = site.affinity.form === "product" && !site.affinity.regions;
    this.detail = "none";
    this.moving = true;
    this.kept = { query: -1, head: null, row: null, map: null };
  }

  /** The factors are decoded when a row is first asked for. */
  get rows() {
    if (!this.opened) {
      this.opened = new Rows(this.site.affinity, this.heads, this.keyGrid,
        { extra: this.extra.length, bands: this.bands });
      this.regions = this.opened.areas;
      this.map = new Float32Array(cells(this.keyGrid));
    }
    return this.opened;
  }

  /** The sign of the weights: as claimed of rows, else as some rows show it. */
  get signed() {
    if (OF_ROWS.has(this.site.kind)) return this.site.claim === "signed";
    return this.sampled()[0] < 0;
  }

  /** The token that is no place and whose row is on show, or null. */
  token(state) {
    return state.token !== null && state.token < this.extra.length ? state.token : null;
  }

  /** The queried place: the pinned one, else the one last pointed at; none while a token asks. */
  place(state) {
    return this.token(state) === null ? state.pin ?? state.asked : null;
  }

  cell(state) {
    const place = this.place(state);
    return place ? cellAt(this.pointerGrid, toModel(this.scene.framing, place)) : -1;
  }

  query(state) {
    const token = this.token(state);
    if (token !== null) return token;
    const cell = this.cell(state);
    const first = this.extra.length;
    return cell < 0 ? -1 : first + (cell % (this.rows.queries - first));
  }

  head(state) {
    return state.head === "mean" ? "mean" : Math.min(state.head, this.heads - 1);
  }

  /** The weights (key) on show, tokens that are no places first; null before anything was asked. */
  row(state) {
    const query = this.query(state);
    if (query < 0) return null;
    const head = this.head(state);
    if (this.kept.query !== query || this.kept.head !== head) {
      this.kept = { query, head, row: this.rows.row(head, query), map: null, facts: null };
    }
    return this.kept.row;
  }

  /** The row over the cells of the key grid. */
  drawn(state) {
    const row = this.row(state);
    if (row && !this.kept.map) this.kept.map = this.overCells(row, this.map);
    return row && this.kept.map;
  }

  /** The weights of the keys that are places. */
  places(row) {
    return this.extra.length ? row.subarray(this.extra.length) : row;
  }

  overCells(row, map) {
    const places = this.places(row);
    if (this.regions) return this.regions.spread(places, map);
    if (this.bands === 1) return places;
    for (let from = 0; from < map.length; from += places.length) {
      map.set(places.subarray(0, map.length - from), from);
    }
    return map;
  }

  facts(state) {
    const row = this.row(state);
    this.kept.facts ??= describeRow(row);
    return this.kept.facts;
  }

  scale(state, map) {
    if (state.scale === "fixed") return this.fixedScale();
    const size = largest(map);
    return this.signed ? signedScale(size) : makeScale(0, size);
  }

  fixedScale() {
    if (this.simplex && this.dense) return makeScale(0, Math.min(1, FIXED_UNIFORM / this.rows.keys));
    const bound = Math.max(...this.sampled().map(Math.abs));
    return this.signed ? signedScale(bound) : makeScale(0, bound);
  }

  /** Extremes of some rows spread over all queries and heads, as they are drawn. */
  sampled() {
    if (this.extremes) return this.extremes;
    const { queries, keys } = this.rows;
    const count = Math.min(SAMPLED_ROWS, queries);
    const [row, map] = [new Float32Array(keys), new Float32Array(this.map.length)];
    this.extremes = [Infinity, -Infinity];
    for (let i = 0; i < count; i += 1) {
      const query = Math.floor(((i + 0.5) * queries) / count);
      const [low, high] = extent(this.overCells(this.rows.row(i % this.heads, query, row), map));
      this.extremes = [Math.min(this.extremes[0], low), Math.max(this.extremes[1], high)];
    }
    return this.extremes;
  }

  /** What to draw over the picture. */
  frame(state) {
    if (this.query(state) < 0) return null;
    const map = this.drawn(state);
    const cell = this.cell(state);
    const box = (index) => cellBox(this.scene.framing, this.pointerGrid, index);
    return { values: map, grid: this.keyGrid, scale: this.scale(state, map),
      query: cell < 0 ? null : box(cell), others: this.sharing(cell).map(box),
      reach: this.reach(state) };
  }

  /** The other cells that ask with the same token. */
  sharing(cell) {
    if (cell < 0 || this.bands === 1) return [];
    const tokens = this.rows.queries;
    return Array.from({ length: this.bands }, (_, band) => (cell % tokens) + band * tokens)
      .filter((one) => one !== cell && one < cells(this.pointerGrid));
  }

  /** The cells that this query can hear, where these are not all. */
  reach(state) {
    if (this.regions || this.bands > 1) return null;
    const { kept } = this;
    if (kept.reach === undefined) {
      const heard = this.rows.heard(this.head(state), this.query(state));
      const first = this.extra.length;
      kept.reach = heard && { grid: this.keyGrid, cells: first
        ? new Set([...heard].filter((key) => key >= first).map((key) => key - first)) : heard };
    }
    return kept.reach;
  }

  /** What the colour bar says; tokens that are no places are numbers beside it. */
  legend(state, say) {
    const map = this.drawn(state);
    const label = state.scale === "fixed" ? this.fixedLabel(say)
      : say(this.legendKey(), { value: number(largest(map)) });
    const row = this.row(state);
    const beside = this.extra.map((name, i) => ({ name, value: row[i] }));
    return { label, ticks: this.uniform(state, say), beside };
  }

  legendKey() {
    if (this.regions) return this.signed ? "bar.area_signed" : "bar.area";
    return this.signed ? "bar.row_signed" : "bar.row";
  }

  /** Where an even row over all that can be heard would lie, for rows that sum to 1. */
  uniform(state, say) {
    if (!this.simplex || this.regions) return [];
    const reach = this.reach(state);
    const count = reach ? reach.cells.size : this.rows.keys;
    return [{ value: 1 / count, name: say("bar.uniform_name"),
      label: say("bar.uniform", { count, value: number(1 / count, 2) }) }];
  }

  fixedLabel(say) {
    const value = number(this.fixedScale().high);
    return this.simplex && this.dense ? say("bar.fixed_uniform", { times: FIXED_UNIFORM, value })
      : say("bar.fixed_sampled", { value });
  }

  /** The value of the row under the pointer. */
  pointed(state) {
    const row = this.row(state);
    const place = state.pointer ?? state.pin;
    if (!row || !place) return null;
    const { framing } = this.scene;
    const index = cellAt(this.keyGrid, toModel(framing, place));
    const value = this.drawn(state)[index];
    const [uniform] = this.uniform(state, () => "");
    return { value, cell: rowColumn(this.keyGrid, index), boxes: this.boxesAt(index, row),
      times: uniform ? value / uniform.value : null, areas: this.areasAt(index, row) };
  }

  /** Boxes of the keys that hold a cell: the areas around it, or the cells of its token. */
  boxesAt(index, row) {
    const { framing } = this.scene;
    if (this.regions) {
      const { scale } = framing;
      return this.regions.around(index, this.places(row)).map((key) => {
        const [left, top, width, height] = this.regions.modelBox(key);
        return [...toOriginal(framing, [left, top]), width / scale[0], height / scale[1]];
      });
    }
    const tokens = cells(this.keyGrid) / this.bands;
    return Array.from({ length: this.bands }, (_, band) =>
      cellBox(framing, this.keyGrid, (index % tokens) + band * tokens));
  }

  areasAt(index, row) {
    const places = this.places(row);
    return this.regions?.around(index, places).map((key) => places[key]) ?? null;
  }

  numbers(state, say) {
    const row = this.row(state);
    if (!row) return [];
    const facts = this.facts(state);
    const own = this.selfIndex(state);
    const reach = this.reach(state);
    const heard = reach ? reach.cells.size + this.extra.length : row.length;
    const most = Math.log(heard);
    return [
      [say("numbers.maximum"), number(facts.maximum)],
      ...(this.signed ? [[say("numbers.minimum"), number(facts.minimum)]] : []),
      [say("numbers.sum"), number(facts.sum, 4)],
      [say(this.signed ? "numbers.entropy_signed" : "numbers.entropy"),
        say("numbers.entropy_value", { nats: facts.entropy.toFixed(2),
          share: percent(most > 0 ? facts.entropy / most : 0) })],
      [say(this.regions ? "numbers.effective_areas" : "numbers.effective"),
        say("numbers.of", { value: number(facts.effective), total: heard })],
      ...(own === null ? [] : [[say("numbers.self"), number(row[own])]]),
      ...this.extra.map((name, i) => [say("numbers.token", { token: name }), number(row[i])]),
    ];
  }

  /** The key that a query is itself: of a token its own, of a cell that which holds its centre. */
  selfIndex(state) {
    const token = this.token(state);
    if (token !== null) return token;
    if (this.regions) return null;
    const cell = cellAt(this.keyGrid, cellCentre(this.pointerGrid, this.cell(state)));
    return this.extra.length + (cell % (this.rows.keys - this.extra.length));
  }

  /** The keys of largest weight: label, weight, their place, and the class there. */
  top(state, say) {
    const row = this.row(state);
    if (!row) return null;
    const entries = topIndices(row, 5).filter((key) => row[key] !== 0)
      .map((key) => this.entry(key, row[key], say));
    return { title: say(this.regions ? "top.areas" : "top.places"), entries };
  }

  entry(key, weight, say) {
    const first = this.extra.length;
    if (key < first) return { label: this.extra[key], weight, under: null };
    const centre = this.keyCentre(key - first);
    const place = toOriginal(this.scene.framing, centre);
    return { label: this.keyName(key - first, say), weight, place,
      under: this.scene.segmentation?.at(place) ?? null };
  }

  keyCentre(key) {
    return this.regions ? this.regions.centre(key) : cellCentre(this.keyGrid, key);
  }

  keyName(key, say) {
    if (!this.regions) {
      const [row, column] = rowColumn(this.keyGrid, key);
      return say("top.place", { row, column });
    }
    const [left, top, right, bottom] = Array.from(this.regions.box(key), rounded);
    return say("top.area", { top, bottom, left, right });
  }

  sentence(state, say) {
    const row = this.row(state);
    if (!row) return say("sentence.none");
    const { framing, picture } = this.scene;
    const centres = (index) => {
      const [x, y] = toOriginal(framing, cellCentre(this.keyGrid, index));
      return [x / picture.width, y / picture.height];
    };
    const view = { row, map: this.drawn(state), centres, picture, signed: this.signed,
      simplex: this.simplex, areas: Boolean(this.regions),
      heard: this.reach(state)?.cells.size ?? null, tokens: this.extra };
    const token = this.token(state);
    if (token !== null) return rowSentence(view, this.extra[token], say);
    const place = toOriginal(framing, cellCentre(this.pointerGrid, this.cell(state)));
    return placeSentence(view, place, say);
  }

  thumbnail(state) {
    return this.frame(state);
  }
}

/** Where an area ends, in cells, which may be cut. */
function rounded(value) {
  return String(Math.round(value * 100) / 100);
}
