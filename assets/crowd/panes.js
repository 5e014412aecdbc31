// Both pictures side by side under one pointer.

import { h } from "../canvas/dom.js";
import { cellAt, cellBox, toModel } from "../canvas/grids.js";
import { askingBoxes, bandStarts, layerOf, rowOf } from "./layers.js";
import { Pane } from "./pane.js";
import { boxOf, nudged } from "./registration.js";
import { SENSES, asking, queried } from "./state.js";

export class Panes {
  /** act: {point(sense, place), leave(), choose, move, toggle, unpin, drawing(), pen, problem} */
  constructor(act) {
    this.panes = Object.fromEntries(SENSES.map((sense) => [sense, new Pane(sense, {
      point: (place) => act.point(sense, place),
      leave: () => act.leave(),
      choose: (place) => act.choose(sense, place),
      move: (columns, rows) => act.move(sense, columns, rows),
      toggle: () => act.toggle(sense),
      unpin: () => act.unpin(),
      drawing: () => act.drawing(),
      pen: (step, place) => act.pen(sense, step, place),
    }, act.problem)]));
    this.empty = this.panes.rgb.empty;
    this.root = h("div", { class: "vc-panes" }, ...SENSES.map((sense) => this.panes[sense].whole));
  }

  get sized() {
    return SENSES.map((sense) => this.panes[sense].frame);
  }

  label(say) {
    for (const sense of SENSES) {
      const { frame, title } = this.panes[sense];
      frame.setAttribute("aria-label", say(`pane.${sense}`));
      frame.setAttribute("aria-roledescription", say("stage.role"));
      title.textContent = say(`sense.${sense}`);
    }
    this.empty.textContent = say("empty");
  }

  /** Take the pictures of a scene as they are after the changes. */
  fill(scene, pictures, state, say) {
    const { frame, framing } = scene;
    const { changes } = state;
    const there = SENSES.filter((sense) => pictures[sense]);
    for (const sense of SENSES) {
      const picture = pictures[sense];
      const given = scene.payload.given?.[sense];
      const look = { framing, light: sense === "rgb" ? changes.light : 1,
        blank: changes.blank === sense };
      const whole = [0, 0, frame.width, frame.height];
      if (given) this.panes[sense].place(frame, { ...picture, url: given }, whole, { ...look, light: 1 });
      else this.panes[sense].place(frame, picture, picture && thermalBox(picture, sense, scene, changes), look);
      this.panes[sense].facts.textContent = picture ? factsOf(picture, say) : "";
      this.panes[sense].image.alt = picture ? say("pane.alt", { sense: say(`sense.${sense}`),
        name: picture.name }) : "";
    }
    this.there = there;
    const aspect = Math.min(Math.max(frame.width / frame.height, 0.8), 1.9);
    this.root.style.setProperty("--va-box-aspect", aspect);
    this.show(state);
  }

  /** Show both pictures or one of them. */
  show(state) {
    const wanted = this.there?.includes(state.view) ? [state.view] : this.there ?? SENSES;
    for (const sense of SENSES) this.panes[sense].whole.hidden = !wanted.includes(sense);
    this.root.classList.toggle("vc-single", wanted.length === 1);
  }

  /** Draw the layer of a state; returns what the colour bar and the readout are about. */
  draw(view) {
    const { scene, state, say } = view;
    const layer = layerOf(state);
    let shown = null;
    for (const sense of SENSES) {
      const frame = state.overlay ? layer.frame({ ...view, sense }) : null;
      shown ??= frame;
      const table = view.tableOf(frame?.scale, state);
      this.panes[sense].paint(frame, { table, opacity: state.opacity, smooth: state.smooth }, null);
      this.panes[sense].mark(this.marks(view, sense, frame));
      this.role(scene, state, sense, say);
    }
    return shown;
  }

  role(scene, state, sense, say) {
    const pane = this.panes[sense];
    const place = queried(state) ?? state.pointer;
    const both = scene.senses.length > 1;
    const asks = place ? asking(state, place) : "rgb";
    const words = state.layer === "row" && both
      ? say(asks === sense ? "pane.asks" : "pane.asked") : "";
    if (pane.role.textContent !== words) pane.role.textContent = words;
  }

  marks(view, sense, frame) {
    const { scene, state } = view;
    const marks = { peaks: state.peaks ? scene.payload.peaks : null,
      region: state.drawing ?? state.region, open: Boolean(state.drawing) };
    if (marks.region && marks.region.length < 2) marks.region = null;
    const { pointer } = state;
    if (state.layer === "row" && scene.senses.length > 1) this.rowMarks(view, sense, frame, marks);
    else if (pointer?.sense === sense || (pointer && state.view !== "both")) {
      const here = layerOf(state).pointed(view, pointer.at, sense);
      marks.pointed = here?.boxes;
    }
    if (pointer && pointer.sense !== sense && state.view === "both") marks.cross = pointer.at;
    if (state.layer !== "row" && state.pin) marks.boxes = [pinBox(scene, state.pin.at)];
    marks.pinned = Boolean(state.pin);
    return marks;
  }

  rowMarks(view, sense, frame, marks) {
    const { scene, state } = view;
    const place = queried(state);
    const single = state.view !== "both";
    if (place && (single || asking(state, place) === sense)) marks.boxes = askingBoxes(scene, state);
    if (frame?.bands) marks.bands = { site: frame.bands.site, starts: bandStarts(frame.bands.site) };
    const { pointer } = state;
    if (pointer && rowOf(scene, state)?.over === sense && (state.pin || pointer.sense === sense)) {
      marks.pointed = state.pin && layerOf(state).pointed(view, pointer.at, sense)?.boxes;
    }
  }
}

function pinBox(scene, at) {
  const { grid } = scene.density;
  return cellBox(scene.framing, grid, cellAt(grid, toModel(scene.framing, at)));
}

/** The size of a picture as it was given, and what the numbers of a thermal one are. */
function factsOf(picture, say) {
  return [say("pane.size", picture), picture.unit && say(`unit.${picture.unit}`)]
    .filter(Boolean).join(" · ");
}

/** Where a picture lies on the frame; the thermal one may be moved by the changes. */
function thermalBox(picture, sense, scene, changes) {
  const { frame, payload } = scene;
  if (sense === "rgb" || !payload.registration || payload.senses.length < 2) {
    return [0, 0, frame.width, frame.height];
  }
  const [x, y] = changes.shift;
  return boxOf(nudged(payload.registration, { x, y, zoom: 1 }, frame), picture);
}

