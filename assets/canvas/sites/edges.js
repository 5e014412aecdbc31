// Gates of the height or of the width: one value for each line of the picture, in each channel.

import { edgeSentence } from "../words.js";
import { MapsSite } from "./maps.js";

export class EdgesSite extends MapsSite {
  constructor(site, scene) {
    const { axis, channels, length, grid, values } = site.edges;
    const upright = axis === "height";
    const [across, down] = [grid.columns * grid.cell[0], grid.rows * grid.cell[1]];
    // A band is one cell, as long as the picture.
    const bands = { origin: grid.origin, rows: upright ? length : 1, columns: upright ? 1 : length,
      cell: upright ? [across, down / length] : [across / length, down] };
    super(site, scene, { count: channels, grid: bands, values, name: null, labels: null,
      signed: site.claim === "signed" }, null);
    this.axis = axis;
    this.upright = upright;
  }

  name(index, say) {
    if (this.maps.count === 1) return say("edges.all");
    return index < 0 ? super.name(index, say) : say("top.channel", { channel: index });
  }

  bars(state, say) {
    return { ...super.bars(state, say), label: say("bars.edges_label") };
  }

  frame(state) {
    const place = this.place(state);
    return { ...super.frame(state), profile: { axis: this.axis, values: this.row(state),
      pointed: place ? this.index(place) : null } };
  }

  pointed(state) {
    const found = super.pointed(state);
    return found && { ...found, where: this.upright ? "readout.line" : "readout.column" };
  }

  sentence(state, say) {
    return edgeSentence(this.row(state), this.axis, this.name(this.shown(state), say), say);
  }

  placeName(index, say) {
    return say(this.upright ? "top.line" : "top.column", { index });
  }

  /** A band runs over many classes. */
  under() {
    return null;
  }
}
