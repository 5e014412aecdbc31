// Everything of the crowd tab that is drawn: its parts, built once and shown for a state.

import { palette } from "../canvas/colours.js";
import { ColourBar } from "../canvas/colourbar.js";
import { h } from "../canvas/dom.js";
import { Alignment } from "./alignment.js";
import { Choices } from "./choices.js";
import { Controls } from "./controls.js";
import { Laboratory } from "./laboratory.js";
import { layerOf } from "./layers.js";
import { Panes } from "./panes.js";
import { Results } from "./results.js";

const SIGNED_MAP = "RdBu_r";
const NOTICED = 350;

export class Desk {
  /** acts: {panes, controls, laboratory, alignment, results, choices}; see each part. */
  constructor(acts, colormaps, offer) {
    this.palettes = Object.fromEntries(
      Object.entries(colormaps).map(([name, text]) => [name, palette(text)]));
    this.panes = new Panes(acts.panes);
    this.controls = new Controls(acts.controls, Object.keys(colormaps));
    this.bar = new ColourBar();
    this.laboratory = new Laboratory(acts.laboratory);
    this.alignment = new Alignment(acts.alignment);
    this.results = new Results(acts.results);
    this.choices = new Choices(acts.choices, offer);
    this.busyText = h("span");
    this.busy = h("div", { class: "va-busy", role: "status" }, h("i"), this.busyText);
    this.lead = h("p", { class: "vp-lead vc-lead" });
    this.readout = h("p", { class: "va-readout" });
    this.help = h("p", { class: "va-hidden", id: `vc-help-${Math.random().toString(36).slice(2)}` });
    for (const frame of this.panes.sized) frame.setAttribute("aria-describedby", this.help.id);
    this.short = h("p", { class: "vc-short", "aria-hidden": "true" });
    this.look = h("div", { class: "vc-look" }, this.controls.above, this.panes.root, this.short,
      this.readout, this.bar.root, this.controls.below);
    this.middle = h("div", { class: "va-middle vc-middle" }, this.lead, this.busy, this.look,
      this.alignment.root, this.controls.tools, this.laboratory.root, this.help);
    this.root = h("div", { class: "va vc va-vacant" },
      h("div", { class: "vc-columns" }, this.choices.root, this.middle, this.results.root));
  }

  get sized() {
    return [...this.panes.sized, this.bar.canvas];
  }

  /** Put the words of a language on everything that does not depend on a pair. */
  label(say, spoken) {
    for (const part of [this.panes, this.controls, this.laboratory, this.alignment, this.results]) {
      part.label(say);
    }
    this.choices.label(say, spoken);
    this.help.textContent = say("stage.help");
  }

  /** Take a scene with its pictures. */
  fill({ scene, pictures, state, say, spoken, lead }) {
    this.root.classList.remove("va-vacant");
    this.panes.fill(scene, pictures, state, say);
    this.results.fill(scene, spoken);
    this.lead.textContent = lead;
    this.short.textContent = `${scene.count.toFixed(1)} ${say(`count.${scene.payload.points}`)}`;
  }

  /** Say what is being waited for, unless the answer comes before one would notice. */
  setBusy(words, after = NOTICED) {
    clearTimeout(this.patience);
    this.root.setAttribute("aria-busy", String(Boolean(words)));
    const shown = this.busy.classList.contains("va-on");
    this.patience = setTimeout(() => {
      this.busy.classList.toggle("va-on", Boolean(words));
      this.busyText.textContent = words ?? "";
    }, words && !shown ? after : 0);
  }

  setProjector(on) {
    this.root.classList.toggle("va-projector", on);
    this.controls.showProjector(on);
  }

  get projecting() {
    return this.root.classList.contains("va-projector");
  }

  tableOf(scale, state) {
    return this.palettes[scale?.signed ? SIGNED_MAP : state.colormap] ?? this.palettes.viridis;
  }

  /** Draw what follows the pointer. */
  draw(view) {
    const { scene, state, say } = view;
    const all = { ...view, tableOf: (scale) => this.tableOf(scale, state) };
    const frame = this.panes.draw(all);
    this.controls.show(state, scene, !this.alignment.root.hidden);
    this.drawBar(frame, all);
    const { pointer } = state;
    const at = pointer ?? state.pin;
    const pointed = at && layerOf(state).pointed(all, at.at, at.sense);
    this.bar.point(frame && pointed ? pointed.value : null);
    this.readout.textContent = this.readoutText(at, pointed, state, say);
    this.results.showRow(scene, state);
  }

  drawBar(frame, view) {
    const { state, say } = view;
    const layer = layerOf(state);
    if (!frame) {
      const missing = layer.staged && !view.scene.gates.has(state.stage) ? "gate" : state.layer;
      this.bar.hide(say(`bar.none_${state.overlay ? missing : "hidden"}`));
      return;
    }
    const look = { table: this.tableOf(frame.scale, state), opacity: state.opacity };
    const { rows, columns } = frame.grid;
    const note = say(state.smooth ? "bar.smooth" : "bar.cells", { rows, columns });
    this.bar.show(frame.scale, look, layer.legend(view, frame), note);
  }

  readoutText(at, pointed, state, say) {
    if (state.drawing) return say("region.hint");
    if (!at) return say(`readout.hint_${state.layer}`);
    const place = say("readout.pixel", { x: Math.floor(at.at[0]), y: Math.floor(at.at[1]),
      sense: say(`sense.${at.sense}`) });
    return [place, ...(pointed?.words ?? []), state.pin ? say("readout.pinned") : null]
      .filter(Boolean).join(" · ");
  }
}
