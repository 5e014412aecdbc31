// A spatial gate: one value per place, the same for whoever asks.

import { decodeFloats } from "../codec.js";
import { makeScale, signedScale } from "../colours.js";
import { number, percent } from "../format.js";
import { cellAt, cellBox, cellCentre, rowColumn, toModel, toOriginal } from "../grids.js";
import { extent, topIndices } from "../statistics.js";
import { mapSentence, spatialSentence } from "../words.js";

export class MapSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = 1;
    this.pointerGrid = site.map.grid;
    this.detail = "none";
    this.values = decodeFloats(site.map.values);
    this.range = extent(this.values);
    this.unit = site.claim === "unit";
    this.signed = site.claim === "signed" && this.range[0] < 0;
  }

  row() {
    return this.values;
  }

  scale(state) {
    const [low, high] = this.range;
    if (this.signed) return signedScale(Math.max(-low, high));
    if (state.scale !== "fixed") return makeScale(low, high);
    return makeScale(0, this.unit ? 1 : high);
  }

  frame(state) {
    const at = state.pin ?? null;
    const query = at && cellBox(this.scene.framing, this.pointerGrid, this.index(at));
    return { values: this.values, grid: this.pointerGrid, scale: this.scale(state), query };
  }

  index(place) {
    return cellAt(this.pointerGrid, toModel(this.scene.framing, place));
  }

  legend(state, say) {
    const label = this.unit && state.scale === "fixed" ? say("bar.fixed_unit")
      : say("bar.map", { low: number(this.range[0]), high: number(this.range[1]) });
    if (this.site.claim !== "simplex") return { label, ticks: [] };
    const count = this.values.length;
    return { label, ticks: [{ value: 1 / count, name: say("bar.uniform_name"),
      label: say("bar.uniform", { count, value: number(1 / count, 2) }) }] };
  }

  pointed(state) {
    const place = state.pointer ?? state.pin;
    if (!place) return null;
    const index = this.index(place);
    return { value: this.values[index], cell: rowColumn(this.pointerGrid, index),
      boxes: [cellBox(this.scene.framing, this.pointerGrid, index)], times: null };
  }

  numbers(state, say) {
    const mean = this.values.reduce((sum, value) => sum + value, 0) / this.values.length;
    const share = (test) => percent(this.values.filter(test).length / this.values.length);
    const here = this.pointed(state);
    return [
      [say("numbers.range"), `${number(this.range[0])} … ${number(this.range[1])}`],
      [say("numbers.mean"), number(mean)],
      ...(this.unit ? [[say("numbers.open"), share((value) => value > 0.9)],
        [say("numbers.closed"), share((value) => value < 0.1)]] : []),
      ...(here ? [[say("numbers.here"), number(here.value)]] : []),
    ];
  }

  top(state, say) {
    const entries = topIndices(this.values, 5).map((index) => {
      const [row, column] = rowColumn(this.pointerGrid, index);
      const place = toOriginal(this.scene.framing, cellCentre(this.pointerGrid, index));
      return { label: say("top.place", { row, column }),
        weight: this.values[index], place, under: this.scene.segmentation?.at(place) ?? null };
    });
    return { title: say(this.unit ? "top.open_places" : "top.values"), entries };
  }

  sentence(state, say) {
    const { framing, picture } = this.scene;
    const centres = (index) => {
      const [x, y] = toOriginal(framing, cellCentre(this.pointerGrid, index));
      return [x / picture.width, y / picture.height];
    };
    return this.unit ? spatialSentence(this.values, this.range, centres, say)
      : mapSentence(this.values, centres, this.site.title, null, say);
  }

  thumbnail(state) {
    return { ...this.frame(state), query: null };
  }
}
