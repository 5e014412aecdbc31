// Several maps of one thing: channels, codewords, bases, nodes. Bars choose a map, a place tells all.

import { decodeFloats } from "../codec.js";
import { makeScale, signedScale } from "../colours.js";
import { number } from "../format.js";
import { cellAt, cellBox, cellCentre, cells, rowColumn, toModel, toOriginal } from "../grids.js";
import { extent, largest, sortedIndices, topIndices } from "../statistics.js";
import { mapSentence } from "../words.js";

/** The mean of all maps, in the place of the number of one. */
const MEAN = -1;
/** Kinds whose maps mean the same thing together: their mean is a picture of the whole. */
const WITH_MEAN = new Set(["feature_gate", "height_gate", "width_gate"]);

export class MapsSite {
  constructor(site, scene, maps = site.maps, summary = site.summary) {
    this.site = site;
    this.scene = scene;
    this.heads = 1;
    this.maps = maps;
    this.pointerGrid = maps.grid;
    this.size = cells(maps.grid);
    this.signed = Boolean(maps.signed);
    this.detail = maps.count > 1 ? "bars" : "none";
    this.values = decodeFloats(maps.values);
    this.summary = summary ? decodeFloats(summary) : this.means();
    this.order = sortedIndices(this.summary);
    this.first = WITH_MEAN.has(site.kind) && maps.count > 1 ? MEAN : this.widest();
  }

  means() {
    return Float32Array.from({ length: this.maps.count }, (_, i) =>
      this.one(i).reduce((sum, value) => sum + value, 0) / this.size);
  }

  one(index) {
    return this.values.subarray(index * this.size, (index + 1) * this.size);
  }

  /** The map whose values differ most between places. */
  widest() {
    const spans = Array.from({ length: this.maps.count }, (_, i) => {
      const [low, high] = extent(this.one(i));
      return high - low;
    });
    return topIndices(spans, 1)[0];
  }

  /** The mean of all maps at each place. */
  get meanMap() {
    if (!this.mean) {
      this.mean = new Float32Array(this.size);
      for (let i = 0; i < this.values.length; i += 1) {
        this.mean[i % this.size] += this.values[i] / this.maps.count;
      }
    }
    return this.mean;
  }

  /** The map on show: pointed at in the bars, else pinned there, else the first one. */
  shown(state) {
    const valid = (index) => (index !== null && index < this.maps.count ? index : null);
    return valid(state.channelPointed) ?? valid(state.channel) ?? this.first;
  }

  map(index) {
    return index === MEAN ? this.meanMap : this.one(index);
  }

  row(state) {
    return this.map(this.shown(state));
  }

  name(index, say) {
    if (index === MEAN) return say("maps.mean", { count: this.maps.count });
    return this.maps.labels?.[index] ?? say("maps.one", { name: this.maps.name, index });
  }

  scale(state) {
    const fixed = state.scale === "fixed";
    if (fixed && this.site.claim === "unit") return makeScale(0, 1);
    this.range ??= extent(this.values);
    const [low, high] = fixed ? this.range : extent(this.row(state));
    return this.signed ? signedScale(Math.max(-low, high)) : makeScale(Math.min(low, fixed ? 0 : low), high);
  }

  index(place) {
    return cellAt(this.pointerGrid, toModel(this.scene.framing, place));
  }

  frame(state) {
    const query = state.pin
      && cellBox(this.scene.framing, this.pointerGrid, this.index(state.pin));
    return { values: this.row(state), grid: this.pointerGrid, scale: this.scale(state), query };
  }

  legend(state, say) {
    const scale = this.scale(state);
    const words = { name: this.name(this.shown(state), say), low: number(scale.low),
      high: number(scale.high) };
    return { label: say(state.scale === "fixed" ? "bar.maps_fixed" : "bar.maps", words), ticks: [] };
  }

  hint(say) {
    return say(this.maps.count > 1 ? "readout.maps" : "readout.hint");
  }

  /** The place whose values the bars show: under the pointer, else the pinned one. */
  place(state) {
    return state.pointer ?? state.pin;
  }

  pointed(state) {
    const place = this.place(state);
    if (!place) return null;
    const index = this.index(place);
    return { value: this.row(state)[index], cell: rowColumn(this.pointerGrid, index),
      boxes: [cellBox(this.scene.framing, this.pointerGrid, index)], times: null,
      of: (say) => this.name(this.shown(state), say) };
  }

  /** Values of all maps at the place that is asked, or their means. */
  heights(state) {
    const place = this.place(state);
    if (!place) return this.summary;
    const index = this.index(place);
    return Float32Array.from({ length: this.maps.count }, (_, i) =>
      this.values[i * this.size + index]);
  }

  bars(state, say) {
    const values = this.heights(state);
    const shown = this.shown(state);
    const [low, high] = this.barRange(values, state);
    const words = { name: this.name(shown, say),
      value: number(shown === MEAN ? this.meanAt(state) : values[shown]) };
    return { values, order: this.order, low, high, shown, pinned: state.channel,
      names: this.maps.labels,
      caption: say(this.place(state) ? "bars.map_here" : "bars.map_mean", words),
      label: say("bars.maps_label", { name: this.maps.name }) };
  }

  meanAt(state) {
    const place = this.place(state);
    return place ? this.meanMap[this.index(place)]
      : this.summary.reduce((sum, value) => sum + value, 0) / this.maps.count;
  }

  barRange(values, state) {
    this.range ??= extent(this.values);
    if (state.scale === "fixed" && this.site.claim === "unit") return [0, 1];
    const [low, high] = state.scale === "fixed" ? this.range : extent(values);
    const reach = Math.max(-low, high, 1e-12);
    return this.signed ? [-reach, reach] : [Math.min(low, 0), reach];
  }

  numbers(state, say) {
    const [low, high] = extent(this.row(state));
    const here = this.pointed(state);
    const mean = this.row(state).reduce((sum, value) => sum + value, 0) / this.size;
    return [
      [say("numbers.range"), `${number(low)} … ${number(high)}`],
      [say("numbers.mean"), number(mean)],
      ...(here ? [[say("numbers.here"), number(here.value)]] : []),
      ...(this.maps.count > 1 ? [[say("numbers.maps"), String(this.maps.count)]] : []),
    ];
  }

  /** Of several maps the largest where one points; of a single one its largest places. */
  top(state, say) {
    if (this.maps.count === 1) return this.topPlaces(state, say);
    const values = this.heights(state);
    const entries = topIndices(values, 5).map((index) => ({
      label: this.name(index, say), weight: values[index], under: null }));
    return { title: say(this.place(state) ? "top.maps_here" : "top.maps"), entries };
  }

  topPlaces(state, say) {
    const values = this.row(state);
    const entries = topIndices(values, 5).map((index) => ({
      label: this.placeName(index, say), weight: values[index], under: this.under(index) }));
    return { title: say("top.values"), entries };
  }

  placeName(index, say) {
    const [row, column] = rowColumn(this.pointerGrid, index);
    return say("top.place", { row, column });
  }

  under(index) {
    const place = toOriginal(this.scene.framing, cellCentre(this.pointerGrid, index));
    return this.scene.segmentation?.at(place) ?? null;
  }

  sentence(state, say) {
    const { framing, picture } = this.scene;
    const centres = (index) => {
      const [x, y] = toOriginal(framing, cellCentre(this.pointerGrid, index));
      return [x / picture.width, y / picture.height];
    };
    const here = state.pin && this.maps.count > 1 ? this.heights({ ...state, pointer: null }) : null;
    const best = here && topIndices(here, 1)[0];
    return mapSentence(this.row(state), centres, this.name(this.shown(state), say),
      here && { name: this.name(best, say), value: here[best] }, say);
  }

  thumbnail(state) {
    const own = { ...state, channel: this.chosen(state), channelPointed: null };
    const values = this.row(own);
    const [low, high] = extent(values);
    return { values, grid: this.pointerGrid,
      scale: this.signed ? signedScale(largest(values)) : makeScale(low, high) };
  }

  /** A choice counts only where it was made. */
  chosen(state) {
    return state.site === this.site.path ? state.channel : null;
  }
}
