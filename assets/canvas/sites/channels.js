// Channel gates and channel affinities: bars of channels, and a channel's activation as heat.

import { decodeFloats } from "../codec.js";
import { makeScale, signedScale } from "../colours.js";
import { number, percent } from "../format.js";
import { cellAt, cellBox, cells, rowColumn, toModel } from "../grids.js";
import { describeRow, extent, largest, sortedIndices, topIndices } from "../statistics.js";
import { channelRowSentence, gateSentence } from "../words.js";

/** What both kinds share: one channel of the activation over the picture. */
class ChannelSite {
  constructor(site, scene) {
    this.site = site;
    this.scene = scene;
    this.heads = 1;
    this.activation = site.activation ? decodeFloats(site.activation.values) : null;
    this.pointerGrid = site.activation?.grid ?? null;
    // At the end of a residual branch what is below 0 takes away from what passes by.
    this.takesAway = Boolean(this.activation) && extent(this.activation)[0] < 0;
  }

  /** Activation of a channel. */
  channelMap(channel) {
    const count = cells(this.pointerGrid);
    return this.activation.subarray(channel * count, (channel + 1) * count);
  }

  frame(state) {
    if (!this.activation) return null;
    const values = this.channelMap(this.shown(state));
    const high = state.scale === "fixed" ? this.loudest() : largest(values);
    const scale = this.takesAway ? signedScale(high) : makeScale(0, high);
    return { values, grid: this.pointerGrid, scale, query: null };
  }

  /** The largest magnitude of all channels, so that channels can be compared. */
  loudest() {
    this.bound ??= largest(this.activation);
    return this.bound;
  }

  legend(state, say) {
    const channel = this.shown(state);
    const [low, high] = extent(this.channelMap(channel));
    const words = { channel, low: number(low), high: number(high) };
    const label = state.scale === "fixed"
      ? say("bar.activation_fixed", { ...words, bound: number(this.loudest()) })
      : say("bar.activation", words);
    return { label, ticks: [] };
  }

  pointed(state) {
    if (!state.pointer || !this.activation) return null;
    const index = cellAt(this.pointerGrid, toModel(this.scene.framing, state.pointer));
    const values = this.channelMap(this.shown(state));
    return { value: values[index], cell: rowColumn(this.pointerGrid, index), times: null,
      boxes: [cellBox(this.scene.framing, this.pointerGrid, index)], reads: "readout.activation" };
  }

  hint(say) {
    return say("readout.bars");
  }

  topChannels(values, title, say) {
    const entries = topIndices(values, 5).map((channel) => ({
      label: say("top.channel", { channel }), weight: values[channel], channel, under: null }));
    return { title, entries };
  }
}

export class ChannelGateSite extends ChannelSite {
  constructor(site, scene) {
    super(site, scene);
    this.detail = "bars";
    this.values = decodeFloats(site.gate.values);
    this.order = sortedIndices(this.values);
    this.unit = site.claim === "unit";
    const [low, high] = extent(this.values);
    const reach = Math.max(-low, high, 1e-12);
    this.range = this.unit ? [0, 1] : low < 0 ? [-reach, reach] : [0, reach];
  }

  row() {
    return this.values;
  }

  /** The channel on show: pointed at, else pinned, else the strongest. */
  shown(state) {
    return this.valid(state.channelPointed) ?? this.valid(state.channel) ?? this.order[0];
  }

  valid(channel) {
    return channel !== null && channel < this.values.length ? channel : null;
  }

  bars(state, say) {
    const channel = this.shown(state);
    const rank = this.order.indexOf(channel) + 1;
    const [low, high] = this.range;
    return { values: this.values, order: this.order, low, high, shown: channel,
      pinned: this.valid(state.channel),
      caption: say("bars.gate", { channel, weight: number(this.values[channel]), rank,
        total: this.values.length }),
      label: say("bars.gate_label") };
  }

  numbers(state, say) {
    const [low, high] = extent(this.values);
    const mean = this.values.reduce((sum, value) => sum + value, 0) / this.values.length;
    const count = (test) => say("numbers.of",
      { value: this.values.filter(test).length, total: this.values.length });
    return [
      [say("numbers.range"), `${number(low)} … ${number(high)}`],
      [say("numbers.mean"), number(mean)],
      ...(this.unit ? [[say("numbers.open"), count((value) => value > 0.9)],
        [say("numbers.closed"), count((value) => value < 0.1)]] : []),
    ];
  }

  top(state, say) {
    return this.topChannels(this.values, say("top.channels"), say);
  }

  sentence(state, say) {
    return gateSentence(this.values, this.unit, say);
  }

  thumbnail() {
    return { bars: this.order.map((channel) => this.values[channel] / this.range[1]) };
  }
}

export class ChannelAffinitySite extends ChannelSite {
  constructor(site, scene) {
    super(site, scene);
    this.detail = "matrix";
    this.channels = site.matrix.channels;
    this.heads = site.heads ?? 1;
    this.values = decodeFloats(site.matrix.values);
    this.matrix = this.matrixOf(0);
    this.first = Math.floor(topIndices(this.matrix, 1)[0] / this.channels);
    this.signed = site.claim === "signed";
  }

  /** The matrix (query, key) of a head, or the mean of those of all heads. */
  matrixOf(head) {
    const size = this.channels ** 2;
    if (head !== "mean") return this.values.subarray(head * size, (head + 1) * size);
    this.mean ??= Float32Array.from({ length: size }, (_, i) => {
      let sum = 0;
      for (let one = 0; one < this.heads; one += 1) sum += this.values[one * size + i];
      return sum / this.heads;
    });
    return this.mean;
  }

  /** Take the matrix of the head on show. */
  choose(state) {
    this.matrix = this.matrixOf(state.head === "mean" ? "mean" : Math.min(state.head, this.heads - 1));
  }

  /** The query channel: the pinned one, else the one pointed at in the matrix. */
  queryChannel(state) {
    const wanted = state.channel ?? state.rowPointed;
    return wanted !== null && wanted < this.channels ? wanted : this.first;
  }

  /** The channel over the picture: a key pointed at in the bars, else the query channel. */
  shown(state) {
    const key = state.channelPointed;
    return key !== null && key < this.channels ? key : this.queryChannel(state);
  }

  row(state) {
    this.choose(state);
    const from = this.queryChannel(state) * this.channels;
    return this.matrix.subarray(from, from + this.channels);
  }

  bars(state, say) {
    const row = this.row(state);
    const query = this.queryChannel(state);
    const key = this.shown(state);
    const { low, high } = this.scaleOf(state, state.scale === "fixed" ? this.matrix : row);
    return { values: row, order: sortedIndices(row), shown: key, pinned: null, low, high,
      caption: say("bars.affinity", { query, key, weight: number(row[key]) }),
      label: say("bars.affinity_label", { query }) };
  }

  matrixView(state, say) {
    this.choose(state);
    const scale = this.scaleOf(state, this.matrix);
    const query = this.queryChannel(state);
    return { values: this.matrix, rows: this.channels, columns: this.channels,
      scale, query, column: null, pinned: state.channel !== null,
      caption: say("matrix.caption", { low: number(scale.low), high: number(scale.high) }), label: say("matrix.label"),
      said: say("top.channel", { channel: query }) };
  }

  /** From 0 (or symmetric about it) to the largest value; weights that sum to 1 can be fixed to 1. */
  scaleOf(state, values) {
    if (state.scale === "fixed" && this.site.claim === "simplex") return makeScale(0, 1);
    const size = Math.max(largest(values), 1e-12);
    return this.signed ? signedScale(size) : makeScale(0, size);
  }

  numbers(state, say) {
    const query = this.queryChannel(state);
    const row = this.row(state);
    const facts = describeRow(row);
    return [
      [say("numbers.maximum"), number(facts.maximum)],
      [say("numbers.sum"), number(facts.sum, 4)],
      [say("numbers.entropy"), say("numbers.entropy_value",
        { nats: facts.entropy.toFixed(2), share: percent(facts.evenness) })],
      [say("numbers.effective_channels"),
        say("numbers.of", { value: number(facts.effective), total: row.length })],
      [say("numbers.self_channel"), number(row[query])],
    ];
  }

  top(state, say) {
    return this.topChannels(this.row(state), say("top.key_channels"), say);
  }

  sentence(state, say) {
    return channelRowSentence(this.row(state), this.queryChannel(state), say);
  }

  thumbnail(state) {
    this.choose(state);
    return { values: this.matrix, plain: true, rows: this.channels, columns: this.channels,
      scale: this.scaleOf(state, this.matrix) };
  }
}
