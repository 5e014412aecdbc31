// A few values with names: experts, or classes that may be present. They have no place.

import { decodeFloats } from "../codec.js";
import { number } from "../format.js";
import { extent, sortedIndices, topIndices } from "../statistics.js";
import { barsSentence } from "../words.js";

export class BarsSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = 1;
    this.pointerGrid = null;
    this.detail = "bars";
    this.values = decodeFloats(site.bars.values);
    this.order = sortedIndices(this.values);
    this.signed = site.claim === "signed";
  }

  row() {
    return this.values;
  }

  shown(state) {
    const valid = (index) => (index !== null && index < this.values.length ? index : null);
    return valid(state.channelPointed) ?? valid(state.channel) ?? this.order[0];
  }

  name(index, say) {
    const { labels, axis } = this.site.bars;
    return labels?.[index] ?? say("maps.one", { name: axis, index });
  }

  bars(state, say) {
    const shown = this.shown(state);
    const [low, high] = this.range(state);
    return { values: this.values, order: this.order, low, high, shown, pinned: state.channel,
      names: Array.from(this.values, (_, i) => this.name(i, say)),
      caption: say("bars.named", { name: this.name(shown, say), value: number(this.values[shown]),
        rank: this.order.indexOf(shown) + 1, total: this.values.length }),
      label: say("bars.named_label", { axis: this.site.bars.axis }) };
  }

  range(state) {
    if (state.scale === "fixed" && !this.signed) return [0, 1];
    const [low, high] = extent(this.values);
    const reach = Math.max(-low, high, 1e-12);
    return this.signed ? [-reach, reach] : [0, reach];
  }

  frame() {
    return null;
  }

  pointed() {
    return null;
  }

  numbers(state, say) {
    const [low, high] = extent(this.values);
    const sum = this.values.reduce((total, value) => total + value, 0);
    return [
      [say("numbers.range"), `${number(low)} … ${number(high)}`],
      [say("numbers.mean"), number(sum / this.values.length)],
      [say("numbers.sum"), number(sum, 4)],
    ];
  }

  top(state, say) {
    const entries = topIndices(this.values, 5).map((index) => ({
      label: this.name(index, say), weight: this.values[index], under: null }));
    return { title: say("top.named", { axis: this.site.bars.axis }), entries };
  }

  sentence(state, say) {
    const names = this.order.slice(0, 2).map((index) => this.name(index, say));
    return barsSentence(this.values, this.order, names, say);
  }

  hint(say) {
    return say("readout.named");
  }

  thumbnail() {
    const reach = Math.max(...extent(this.values).map(Math.abs), 1e-12);
    return { bars: this.order.map((index) => this.values[index] / reach) };
  }
}
