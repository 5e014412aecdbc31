// What is shown (above the pictures) and how it is drawn (below them).

import { h } from "../canvas/dom.js";
import { button, choice, menu, options, press } from "../canvas/fields.js";
import { layerOf } from "./layers.js";
import { LAYERS, SENSES, STAGES, VIEWS } from "./state.js";

const SIGNED_MAP = "RdBu_r";
const STAGE_NAMES = Array.from({ length: STAGES }, (_, i) => String(i + 1));

export class Controls {
  /** act: {change(part), draw(), clear(), align(), reset(), projector()} */
  constructor(act, maps) {
    this.act = act;
    this.maps = maps.filter((name) => name !== SIGNED_MAP);
    this.layer = choice("layer", LAYERS, (value) => act.change({ layer: value }));
    this.stage = choice("stage", STAGE_NAMES, (value) => act.change({ stage: value - 1 }));
    this.view = menu("view", (value) => act.change({ view: value }));
    this.over = menu("over", (value) => act.change({ over: value }));
    this.scale = choice("scale", ["row", "fixed"], (value) => act.change({ scale: value }));
    this.cells = choice("cells", ["cells", "smooth"],
      (value) => act.change({ smooth: value === "smooth" }));
    this.colormap = menu("colormap", (value) => act.change({ colormap: value }));
    this.opacityLabel = h("span");
    this.opacity = h("input", { type: "range", min: "0", max: "1", step: "0.05",
      oninput: () => act.change({ opacity: +this.opacity.value }) });
    this.region = button(() => act.draw());
    this.peaks = button(() => act.change({ peaks: !this.state.peaks }));
    this.align = button(() => act.align());
    this.projector = button(() => act.projector());
    this.projector.classList.add("va-larger");
    this.resetButton = button(() => act.reset());
    this.above = h("div", { class: "va-controls" }, this.layer.root, this.stage.root,
      h("span", { class: "va-space" }), this.view.root, this.over.root);
    this.tools = h("div", { class: "va-controls vc-tools" }, this.peaks, this.region, this.align,
      h("span", { class: "va-space" }), this.projector, this.resetButton);
    this.below = h("div", { class: "va-controls" }, this.scale.root, this.cells.root,
      this.colormap.root,
      h("label", { class: "va-field va-slider" }, this.opacityLabel, this.opacity));
  }

  /** Put the words of a language on everything. */
  label(say) {
    for (const name of ["layer", "stage", "view", "over", "scale", "cells", "colormap"]) {
      this[name].label.textContent = say(`control.${name}`);
    }
    for (const name of ["layer", "scale", "cells"]) {
      this[name].root.setAttribute("aria-label", say(`control.${name}`));
      for (const one of this[name].buttons) {
        one.textContent = say(`control.${name}_${one.dataset.value}`);
        one.title = say(`control.${name}_${one.dataset.value}_hint`);
      }
    }
    this.stage.root.setAttribute("aria-label", say("control.stage"));
    for (const one of this.stage.buttons) {
      one.textContent = one.dataset.value;
      one.setAttribute("aria-label", say("stage", { stage: one.dataset.value }));
    }
    const named = (list, area) => list.map((name) => [name, say(`${area}_${name}`)]);
    options(this.view.select, named(VIEWS, "control.view"));
    options(this.over.select, named(["both", ...SENSES], "control.over"));
    options(this.colormap.select, this.maps.map((name) => [name, name]));
    this.opacityLabel.textContent = say("control.opacity");
    for (const name of ["peaks", "align", "projector"]) {
      this[name].textContent = say(`control.${name}`);
      this[name].title = say(`control.${name}_hint`);
    }
    this.resetButton.textContent = say("control.reset");
    this.say = say;
  }

  /** Show a state; `scene` may be null before anything was counted. */
  show(state, scene, aligning) {
    this.state = state;
    const layer = layerOf(state);
    const two = (scene?.senses.length ?? 0) > 1;
    press(this.layer.buttons, state.layer);
    for (const one of this.layer.buttons) {
      one.disabled = ["row", "gate"].includes(one.dataset.value) && !scene?.sites.size;
    }
    press(this.stage.buttons, String(state.stage + 1));
    for (const one of this.stage.buttons) {
      one.disabled = Boolean(scene) && !scene.gates.has(one.dataset.value - 1);
    }
    this.stage.root.classList.toggle("vc-gone", !layer.staged);
    this.view.root.hidden = !two;
    this.view.select.value = state.view;
    const overlaid = two && state.view === "both" && ["density", "gate"].includes(state.layer);
    this.over.root.hidden = !two;
    this.over.root.classList.toggle("vc-gone", !overlaid);
    this.over.select.value = state.over;
    press(this.scale.buttons, state.scale);
    press(this.cells.buttons, state.smooth ? "smooth" : "cells");
    this.colormap.root.classList.toggle("vc-gone", Boolean(layer.signed));
    this.colormap.select.value = state.colormap;
    this.opacity.value = state.opacity;
    this.below.classList.toggle("vc-gone", state.layer === "plain");
    this.peaks.setAttribute("aria-pressed", String(state.peaks));
    this.align.hidden = !two;
    this.align.setAttribute("aria-pressed", String(aligning));
    this.showRegion(state);
  }

  showRegion(state) {
    const name = state.drawing ? "finish" : state.region ? "clear" : "draw";
    this.region.textContent = this.say(`region.${name}`);
    this.region.title = this.say(`region.${name}_hint`);
    this.region.setAttribute("aria-pressed", String(Boolean(state.drawing)));
  }

  showProjector(on) {
    this.projector.setAttribute("aria-pressed", String(on));
  }
}
