// Everything that is drawn: the parts of the instrument, built once and shown for a state.

import { Bars } from "./bars.js";
import { ColourBar } from "./colourbar.js";
import { Controls } from "./controls.js";
import { h } from "./dom.js";
import { Facts } from "./facts.js";
import { number, percent } from "./format.js";
import { Matrix } from "./matrix.js";
import { Missed } from "./missed.js";
import { Stage } from "./stage.js";
import { facesOf, faceOf } from "./state.js";
import { Stepper } from "./stepper.js";
import { seriesOf } from "./steps.js";
import { Strip } from "./strip.js";

const SIGNED_MAP = "RdBu_r";

export class Desk {
  /** acts: {stage, controls, channels, strip, problem()}; palettes: 256 colours by name. */
  constructor(acts, palettes) {
    this.palettes = palettes;
    this.stage = new Stage(acts.stage, acts.problem);
    this.controls = new Controls(acts.controls);
    this.bar = new ColourBar();
    this.bars = new Bars(acts.channels);
    this.matrix = new Matrix(acts.channels);
    this.strip = new Strip(acts.strip);
    this.missed = new Missed();
    this.notice = h("p", { class: "va-notice", hidden: true });
    this.stepper = new Stepper(acts.controls);
    this.ways = h("div", { class: "va-ways" }, this.controls.face.root, this.stepper.root);
    this.facts = new Facts();
    this.busyText = h("span");
    this.busy = h("div", { class: "va-busy", role: "status" }, h("i"), this.busyText);
    this.readout = h("p", { class: "va-readout" });
    this.help = h("p", { class: "va-hidden", id: `va-help-${Math.random().toString(36).slice(2)}` });
    this.stage.frame.setAttribute("aria-describedby", this.help.id);
    this.place = h("div", { class: "va-stage" }, this.stage.root, this.busy,
      h("div", { class: "va-detail" }, this.matrix.root, this.bars.root));
    this.middle = h("div", { class: "va-middle" }, this.controls.above, this.place, this.ways,
      this.readout,
      this.bar.root, this.controls.below, this.notice, this.strip.root, this.missed.root, this.help);
    // Panels of the page: under the picture, on a narrow screen under the facts.
    this.under = h("div", { class: "va-beneath" });
    this.root = h("div", { class: "va va-vacant" },
      h("div", { class: "va-columns" }, this.middle, this.facts.root, this.under));
    // A page without Gradio has no theme switch, so the reader's system decides.
    const themed = document.querySelector("gradio-app, .gradio-container");
    this.root.classList.toggle("va-alone", !themed);
  }

  /** What changes size on its own and must then be drawn again. */
  get sized() {
    return [this.stage.frame, this.bar.canvas, this.bars.scroll, this.matrix.square];
  }

  /** Put the words of a language on everything that does not depend on a picture. */
  label(say) {
    this.controls.label(say);
    this.stage.empty.textContent = say("empty");
    this.stage.frame.setAttribute("aria-label", say("stage.label"));
    this.stage.frame.setAttribute("aria-roledescription", say("stage.role"));
    this.help.textContent = say("stage.help");
  }

  /** Take a payload, or null for the empty state. */
  open(payload) {
    this.root.classList.toggle("va-vacant", !payload);
    this.stage.setPicture(payload?.picture ?? null, payload?.framing);
    const aspect = payload ? payload.picture.width / payload.picture.height : 1.5;
    this.place.style.setProperty("--va-box-aspect", Math.min(Math.max(aspect, 0.8), 1.9));
  }

  /** Fill menus, thumbnails and facts from a payload. */
  fill(payload, scene, say) {
    const maps = Object.keys(this.palettes).filter((name) => name !== SIGNED_MAP);
    this.mask = scene.segmentation?.image() ?? null;
    this.segmentation = scene.segmentation;
    this.series = seriesOf(payload.sites);
    // The line is kept for all sites where one needs it, so that nothing jumps between them.
    const ways = this.series.size > 0 || payload.sites.some((site) => facesOf(site).length > 1);
    this.root.classList.toggle("va-with-ways", ways);
    this.ways.hidden = !ways;
    this.controls.fill(payload, maps, say);
    this.facts.fill(payload, say);
    this.strip.fill(payload, say);
    this.missed.show(payload.missed ?? [], say);
    this.notice.textContent = payload.notice ?? "";
    this.notice.hidden = !payload.notice;
    this.shown = null;
  }

  /** Say what is being waited for, or null. */
  setBusy(text) {
    this.busy.classList.toggle("va-on", Boolean(text));
    this.busyText.textContent = text ?? "";
    this.root.setAttribute("aria-busy", String(Boolean(text)));
  }

  get projecting() {
    return this.root.classList.contains("va-projector");
  }

  setProjector(on) {
    this.root.classList.toggle("va-projector", on);
    this.controls.showProjector(on);
  }

  /** The palette of a scale: signed scales have their own, with no colour at 0. */
  tableOf(scale, state) {
    const name = scale?.signed ? SIGNED_MAP : state.colormap;
    return this.palettes[name] ?? this.palettes.viridis;
  }

  /**
   * Draw a site in a state: everything that follows the pointer. Canvases come first: they ask for
   * the sizes of their boxes, which is slow once words have changed.
   */
  draw(site, state, say) {
    const frame = site.frame(state);
    const signed = frame?.scale.signed ? SIGNED_MAP : null;
    this.showSite(site, state, say, signed);
    const pointed = site.pointed(state);
    this.drawPicture(frame, pointed, state);
    this.drawChannels(site, state, say);
    this.showBar(frame, pointed, site, state, say);
    this.controls.show(state, site, signed);
    this.readout.textContent = this.readoutText(pointed, site, state, say);
    this.facts.showNumbers(site.numbers(state, say), site.top(state, say), say);
    const at = state.pointer ?? state.pin;
    this.facts.showClass(at && this.segmentation?.at(at), say);
  }

  showSite(site, state, say, signed) {
    if (this.shown === site) return;
    // What is hidden or shown with a site moves the picture, which is drawn next.
    this.controls.show(state, site, signed);
    this.shown = site;
    this.middle.dataset.detail = site.detail;
    this.facts.showSite(site.site, say);
    const sent = site.site.origin ?? site.site;
    this.controls.showFaces(facesOf(sent), faceOf(sent, state));
    this.stepper.show(this.series.get(state.site), say);
    this.strip.mark(state.site);
  }

  lookOf(frame, state) {
    return { table: this.tableOf(frame?.scale, state), opacity: state.opacity,
      smooth: state.smooth };
  }

  drawPicture(frame, pointed, state) {
    const mask = state.classes ? this.mask : null;
    const on = state.attention || state.classes;
    this.stage.paint(on ? frame : null, this.lookOf(frame, state), on ? mask : null);
    const outlined = pointed && state.pointer && (state.pin || !frame?.query || pointed.areas);
    this.stage.outline({ query: frame?.query, others: frame?.others, pinned: Boolean(state.pin),
      pointed: outlined ? pointed.boxes : [], reach: on && !mask ? frame?.reach : null });
  }

  showBar(frame, pointed, site, state, say) {
    const mask = state.classes ? this.mask : null;
    const on = state.attention || state.classes;
    if (!on || mask) this.bar.hide(say(mask ? "bar.classes" : "bar.hidden"));
    else if (frame) {
      const { rows, columns } = frame.grid;
      const note = say(state.smooth ? "bar.smooth" : "bar.cells", { rows, columns });
      this.bar.show(frame.scale, this.lookOf(frame, state), site.legend(state, say), note);
    } else this.bar.hide(say(site.pointerGrid ? "bar.none" : "bar.no_place"));
    this.bar.point(pointed && frame && on && !mask ? pointed.value : null);
  }

  drawChannels(site, state, say) {
    if (site.detail !== "none") this.bars.show(site.bars(state, say));
    if (site.detail !== "matrix" && site.detail !== "table") return;
    const view = site.matrixView(state, say);
    this.matrix.show(view, this.tableOf(view.scale, state));
  }

  readoutText(pointed, site, state, say) {
    const at = state.pointer ?? state.pin;
    if (!pointed || !at) return site.hint?.(say) ?? say("readout.hint");
    const words = { x: Math.floor(at[0]), y: Math.floor(at[1]), row: pointed.cell[0],
      column: pointed.cell[1], value: number(pointed.value), name: pointed.of?.(say) };
    const parts = [say(pointed.where ?? "readout.place", words),
      say(pointed.reads ?? (pointed.of ? "readout.map" : "readout.value"), words)];
    if (pointed.times !== null) parts.push(say("readout.times", { times: number(pointed.times, 2) }));
    if (pointed.areas) {
      parts.push(say("readout.areas", { weights: pointed.areas.map((one) => number(one)).join(", ") }));
    }
    const under = this.segmentation?.at(at);
    if (under) {
      parts.push(under.confidence === null ? under.label
        : say("readout.class", { label: under.label, share: percent(under.confidence) }));
    }
    if (state.pin) parts.push(say("readout.pinned"));
    return parts.join(" · ");
  }

  /** Draw what may come a moment later: the sentence and the thumbnails of all sites. */
  drawSettled(site, state, say, siteAt) {
    const aloud = Boolean(state.pin) || state.keyboard || site.detail !== "none";
    this.facts.showSentence(site.sentence(state, say), aloud);
    this.strip.draw((path) => siteAt(path).thumbnail(state), (scale) => this.tableOf(scale, state));
  }
}
