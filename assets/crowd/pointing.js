// Pointing at the pictures, pinning a place, and drawing a region around people.

import { cellAt, moved, toModel } from "../canvas/grids.js";
import { Pen } from "./pen.js";
import { middle } from "./state.js";

const SAME_PRESS = 400;

export class Pointing {
  /** crowd: what has the state, the scene and the desk, and takes changes of the state. */
  constructor(crowd) {
    this.crowd = crowd;
    this.pen = new Pen({ draw: (corners) => crowd.set({ drawing: corners }),
      finish: (region) => this.drawn(region) }, () => this.zoom());
    this.pennedAt = -Infinity;
  }

  point(sense, place) {
    const { crowd } = this;
    if (!place || !crowd.scene || this.pen.on) return;
    const pointer = { sense, at: place };
    crowd.set({ pointer, keyboard: false, ...(crowd.state.pin ? {} : { asked: pointer }) });
    crowd.needRows();
  }

  /** A click pins a place, unless it is the end of a stroke of the pen. */
  choose(sense, place) {
    if (this.pen.on || performance.now() - this.pennedAt < SAME_PRESS) return;
    if (place) this.togglePin({ sense, at: place });
  }

  togglePin(place) {
    const { crowd } = this;
    if (!crowd.scene) return;
    const { grid } = crowd.scene.site(crowd.state.stage, "rgb") ?? crowd.scene.density;
    const cell = (one) => `${one.sense} ${cellAt(grid, toModel(crowd.scene.framing, one.at))}`;
    const same = crowd.state.pin && cell(crowd.state.pin) === cell(place);
    crowd.set({ pin: same ? null : place, asked: place, pointer: place }, true);
    crowd.needRows();
  }

  /** Move by whole cells of what is on show. */
  move(sense, columns, rows) {
    const { scene, state } = this.crowd;
    if (!scene) return;
    const { grid } = (state.layer === "row" && scene.site(state.stage, "rgb"))
      || (state.layer === "gate" && scene.gates.get(state.stage)) || scene.density;
    const from = state.pointer ?? state.pin ?? state.asked;
    const at = from ? moved(scene.framing, grid, scene.frame, from.at, columns, rows)
      : middle(scene.frame, state).at;
    const pointer = { sense, at };
    this.crowd.set({ pointer, keyboard: true, ...(state.pin ? {} : { asked: pointer }) });
    this.crowd.needRows();
  }

  /** What Enter does: a corner while a region is drawn, else a pin. */
  toggle(sense) {
    const { scene, state } = this.crowd;
    if (!scene) return;
    const { at } = state.pointer ?? middle(scene.frame, state);
    if (this.pen.on) this.pen.corner(at);
    else this.togglePin({ sense, at });
  }

  /** What Escape does. */
  release() {
    if (this.pen.on) this.drawn(null);
    else this.crowd.set({ pin: null, keyboard: true }, true);
  }

  penned(step, place) {
    this.pennedAt = performance.now();
    this.pen.step(step, place);
  }

  /** Begin a region, finish the one that is drawn, or remove the one that is there. */
  pressRegion() {
    if (this.pen.on) this.pen.finish();
    else if (this.crowd.state.region) this.drawn(null);
    else if (this.crowd.scene) this.pen.start();
  }

  drawn(region) {
    this.pen.stop();
    this.crowd.set({ drawing: null, region }, true);
    this.crowd.desk.results.showRegion(this.crowd.scene, region);
  }

  /** Screen pixels for a pixel of the frame. */
  zoom() {
    const wide = Math.max(...this.crowd.desk.panes.sized.map((frame) => frame.clientWidth));
    return wide / this.crowd.scene.frame.width;
  }
}
