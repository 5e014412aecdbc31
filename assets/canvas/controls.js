// The compact controls: what is shown (above the picture) and how it is drawn (below it).

import { h } from "./dom.js";
import { button, choice, menu, options, press } from "./fields.js";

const HOLD = 350;

export class Controls {
  /**
   * act: {change(part of the state), chooseSite(path), chooseHead(head), chooseToken(index | null),
   * chooseFace(face), reset(), projector()}
   */
  constructor(act) {
    this.act = act;
    this.site = menu("site", (value) => act.chooseSite(value));
    this.head = menu("head", (value) => act.chooseHead(value === "mean" ? value : +value));
    this.colormap = menu("colormap", (value) => act.change({ colormap: value }));
    this.tokenLabel = h("span");
    this.tokens = h("span", { class: "va-segments" });
    this.token = h("div", { class: "va-choice va-tokens", role: "group" }, this.tokenLabel,
      this.tokens);
    this.face = choice("face", ["rows", "maps", "rebuilt"], (value) => act.chooseFace(value));
    this.face.root.classList.add("va-face");
    this.scale = choice("scale", ["row", "fixed"], (value) => act.change({ scale: value }));
    this.cells = choice("cells", ["cells", "smooth"],
      (value) => act.change({ smooth: value === "smooth" }));
    this.opacity = h("input", { type: "range", min: "0", max: "1", step: "0.05",
      oninput: () => act.change({ opacity: +this.opacity.value }) });
    this.opacityLabel = h("span");
    this.attention = button((event) => this.switchAttention(event));
    this.classes = button(() => act.change({ classes: !this.state.classes }));
    this.resetButton = button(() => act.reset());
    this.projector = button(() => act.projector());
    this.projector.classList.add("va-larger");
    this.above = h("div", { class: "va-controls" }, this.site.root, this.head.root,
      this.token, h("span", { class: "va-space" }),
      h("div", { class: "va-switches" }, this.projector, this.classes, this.attention));
    this.below = h("div", { class: "va-controls" }, this.scale.root, this.cells.root,
      this.colormap.root,
      h("label", { class: "va-field va-slider" }, this.opacityLabel, this.opacity),
      h("span", { class: "va-space" }), this.resetButton);
    this.holdAttention();
  }

  /** A short press switches the attention; a long one hides it for as long as it lasts. */
  holdAttention() {
    let since = 0;
    this.attention.addEventListener("pointerdown", () => {
      since = performance.now();
      this.before = attentionShown(this.state);
      this.act.change({ attention: false, classes: false });
    });
    const end = () => {
      if (!since) return;
      this.held = performance.now() - since > HOLD;
      this.act.change({ attention: this.held ? this.before : !this.before });
      since = 0;
    };
    this.attention.addEventListener("pointerup", end);
    this.attention.addEventListener("pointerleave", end);
    this.attention.addEventListener("pointercancel", end);
  }

  /** Clicks of the keyboard have no pointer before them. */
  switchAttention(event) {
    if (event.detail !== 0) return;
    this.act.change({ attention: !attentionShown(this.state), classes: false });
  }

  /** Put the words of a language on everything. */
  label(say) {
    for (const name of ["site", "head", "colormap", "scale", "cells"]) {
      this[name].label.textContent = say(`control.${name}`);
    }
    this.tokenLabel.textContent = say("control.token");
    this.token.setAttribute("aria-label", say("control.token"));
    this.face.label.textContent = say("control.face");
    for (const name of ["scale", "cells", "face"]) {
      this[name].root.setAttribute("aria-label", say(`control.${name}`));
      for (const button of this[name].buttons) {
        button.textContent = say(`control.${name}_${button.dataset.value}`);
        button.title = say(`control.${name}_${button.dataset.value}_hint`);
      }
    }
    this.opacityLabel.textContent = say("control.opacity");
    this.attention.textContent = say("control.attention");
    this.attention.title = say("control.attention_hint");
    this.classes.textContent = say("control.classes");
    this.resetButton.textContent = say("control.reset");
    this.projector.textContent = say("control.projector");
    this.projector.title = say("control.projector_hint");
  }

  /** Fill the menus from a payload. */
  fill(payload, maps, say) {
    options(this.site.select, payload.sites.map((site) => [site.path,
      site.part_of ? `\u2003\u21b3 ${site.title}` : site.title]));
    this.placeWord = say("control.token_place");
    this.maps = maps;
    this.site.root.hidden = payload.sites.length < 2;
    this.classes.hidden = payload.prediction?.kind !== "segment";
    this.headWords = (head) => (head === "mean" ? say("control.head_mean")
      : say("control.head_one", { head }));
  }

  /** Show a state; `signed` is the map that signed rows always have, else null. */
  show(state, site, signed) {
    const { heads } = site;
    this.state = state;
    this.showTokens(site.extra ?? [], site.token?.(state) ?? null);
    this.site.select.value = state.site;
    this.head.root.hidden = heads < 2;
    const all = ["mean", ...Array.from({ length: heads }, (_, i) => i)];
    if (heads > 1) options(this.head.select, all.map((head) => [head, this.headWords(head)]));
    this.head.select.value = state.head;
    const maps = signed ? [signed] : this.maps;
    options(this.colormap.select, maps.map((name) => [name, name]));
    this.colormap.select.disabled = Boolean(signed);
    this.colormap.select.value = signed ?? state.colormap;
    this.opacity.value = state.opacity;
    press(this.scale.buttons, state.scale);
    press(this.cells.buttons, state.smooth ? "smooth" : "cells");
    this.attention.setAttribute("aria-pressed", String(attentionShown(state)));
    this.classes.setAttribute("aria-pressed", String(state.classes));
  }

  /** Whose row is on show: that of the place pointed at, or that of a token that is none. */
  showTokens(extra, chosen) {
    this.token.hidden = extra.length === 0;
    const words = [this.placeWord, ...extra];
    if (this.tokens.dataset.words !== JSON.stringify(words)) {
      this.tokens.dataset.words = JSON.stringify(words);
      this.tokens.replaceChildren(...words.map((word, i) => h("button", { type: "button",
        "data-value": i - 1, onclick: () => this.act.chooseToken(i > 0 ? i - 1 : null) }, word)));
    }
    press([...this.tokens.children], String(chosen ?? -1));
  }

  /** Show in which ways the site can be shown, and in which it is. */
  showFaces(faces, face) {
    this.face.root.classList.toggle("va-away", faces.length < 2);
    for (const one of this.face.buttons) one.hidden = !faces.includes(one.dataset.value);
    press(this.face.buttons, face);
  }

  /** Show whether the projector mode is on. */
  showProjector(on) {
    this.projector.setAttribute("aria-pressed", String(on));
  }
}

/** The classes are drawn in the place of the attention. */
function attentionShown(state) {
  return state.attention && !state.classes;
}
