// One network of the comparison: the picture with its attention, and its numbers for the place.

import { makeScale, signedScale } from "../canvas/colours.js";
import { h, mark } from "../canvas/dom.js";
import { button, menu, options } from "../canvas/fields.js";
import { number, percent } from "../canvas/format.js";
import { cellCentre, toOriginal } from "../canvas/grids.js";
import { segmentationOf } from "../canvas/prediction.js";
import { openSite } from "../canvas/sites/index.js";
import { inLanguage } from "../canvas/spoken.js";
import { Stage } from "../canvas/stage.js";
import { faceOf, facesOf, firstState, siteOf } from "../canvas/state.js";
import { spread } from "../canvas/statistics.js";

const SIGNED_MAP = "RdBu_r";
/** The ways of showing a site that a figure can show too. */
const FACES = ["rows", "maps"];

export class Pane {
  /** act: what a stage asks for, and remove(), changed(whether something else is chosen). */
  constructor(network, act) {
    this.network = network;
    this.act = act;
    this.title = h("h3");
    this.remove = button(() => act.remove());
    this.wanted = { site: null, token: null, face: null };
    this.menu = menu("site", (path) => this.choose({ site: path, token: null, face: null }));
    this.token = menu("token", (token) => this.choose({ token: token === "" ? null : +token }));
    this.face = menu("face", (face) => this.choose({ face }));
    this.stage = new Stage(act, () => {});
    this.busy = h("p", { class: "vm-busy", role: "status" });
    this.numbers = h("dl", { class: "vm-numbers" });
    this.root = h("section", { class: "vm-pane" },
      h("header", {}, this.title, this.remove), this.stage.root,
      h("div", { class: "vm-menus" }, this.menu.root, this.token.root, this.face.root),
      this.numbers);
    this.stage.root.append(this.busy);
  }

  /** Show another part of what was seen: {site, token, face}, any of them. */
  choose(part) {
    this.wanted = { ...this.wanted, ...part };
    this.site = null;
    this.act.changed(true);
  }

  /** The site on show, or null. */
  get path() {
    const { sites } = this.payload ?? { sites: [] };
    const known = sites.some((site) => site.path === this.wanted.site);
    return known ? this.wanted.site : this.usual;
  }

  /** Take what the server sent for the network. */
  open(sent, language) {
    this.sent = sent;
    const { sites } = sent;
    this.usual = (sites.find((site) => site.view === "rows") ?? sites[0])?.path ?? null;
    this.speak(language);
  }

  speak(language) {
    if (!this.sent) return;
    this.payload = inLanguage(this.sent, language);
    const { framing, picture, prediction, sites } = this.payload;
    this.scene = { framing, picture, segmentation: segmentationOf(prediction, framing) };
    this.site = null;
    this.stage.setPicture(picture, framing);
    options(this.menu.select, sites.map((site) => [site.path, site.title]));
  }

  /** The site on show, opened when it is first drawn. */
  opened(state) {
    const site = siteOf(this.payload, this.path);
    this.site ??= openSite(site, this.scene, faceOf(site, state));
    return this.site;
  }

  /** The shared state with what is this network's alone. */
  stateOf(shared) {
    const { token, face } = this.wanted;
    return { ...firstState(this.payload), ...shared, site: this.path, token, face, head: "mean",
      scale: "row" };
  }

  label(say, spoken) {
    this.title.textContent = spoken(this.network.title);
    this.remove.textContent = say("remove");
    this.remove.setAttribute("aria-label", say("remove_one", { network: this.title.textContent }));
    for (const [one, name] of [[this.menu, "site"], [this.token, "token"], [this.face, "face"]]) {
      one.label.textContent = say(`control.${name}`);
    }
    this.stage.frame.setAttribute("aria-label", say("stage_of", { network: this.title.textContent }));
    this.stage.empty.textContent = "";
  }

  wait(words) {
    this.busy.textContent = words ?? "";
    this.root.setAttribute("aria-busy", String(Boolean(words)));
  }

  /** The largest number that the picture shows on its own scale. */
  peak(shared) {
    if (!this.payload || this.path === null) return NaN;
    const state = this.stateOf(shared);
    return this.opened(state).frame(state)?.scale.high ?? NaN;
  }

  /** Draw the shared state; `top` ends the scale that all have, null where each has its own. */
  draw(shared, top, palettes, say) {
    if (!this.payload) return;
    this.menu.root.hidden = this.payload.sites.length < 2;
    this.menu.select.value = this.path;
    this.token.root.hidden = true;
    this.face.root.hidden = true;
    if (this.path === null) return;
    const state = this.stateOf(shared);
    const site = this.opened(state);
    this.showChoices(site, state, say);
    const own = site.frame(state);
    const frame = own && top !== null
      ? { ...own, scale: own.scale.signed ? signedScale(top) : makeScale(0, top) } : own;
    const table = palettes[frame?.scale.signed ? SIGNED_MAP : "viridis"];
    const mask = shared.classes && this.scene.segmentation
      ? (this.mask ??= this.scene.segmentation.image()) : null;
    this.stage.paint(frame, { table, opacity: 0.75, smooth: false }, mask);
    const pointed = site.pointed(state);
    this.stage.outline({ query: frame?.query, others: frame?.others, pinned: Boolean(state.pin),
      pointed: pointed && state.pointer && (state.pin || !frame?.query) ? pointed.boxes : [] });
    this.showNumbers(site, state, frame, say);
  }

  /** Whose row it is, and in which way it is shown, where there is a choice. */
  showChoices(site, state, say) {
    const tokens = site.extra ?? [];
    this.token.root.hidden = tokens.length === 0;
    options(this.token.select, [["", say("control.token_place")],
      ...tokens.map((name, index) => [index, name])]);
    this.token.select.value = site.token?.(state) ?? "";
    const faces = facesOf(siteOf(this.payload, this.path)).filter((face) => FACES.includes(face));
    this.face.root.hidden = faces.length < 2;
    options(this.face.select, faces.map((face) => [face, say(`control.face_${face}`)]));
    this.face.select.value = faceOf(siteOf(this.payload, this.path), state);
  }

  showNumbers(site, state, frame, say) {
    const lines = [[say("prediction"), this.prediction(state, say)],
      ...site.numbers(state, say).slice(0, 5), ...this.distance(site, state, say)];
    if (frame) lines.push([say("scale"), `${number(frame.scale.low)} … ${number(frame.scale.high)}`]);
    const checks = siteOf(this.payload, this.path).checks ?? [];
    const passed = checks.filter((check) => check.passed).length;
    const cost = costWords(this.network.cost, say);
    this.numbers.replaceChildren(
      ...[...lines, [say("cost"), cost]].flatMap(([label, value]) => [h("dt", {}, label),
        h("dd", {}, value)]),
      h("dt", {}, say("checks")),
      h("dd", {}, mark(passed === checks.length), ` ${say("checks_passed",
        { passed, count: checks.length })}`));
  }

  prediction(state, say) {
    const { segmentation } = this.scene;
    const at = state.pointer ?? state.pin ?? state.asked;
    if (!segmentation) {
      const [best] = this.payload.prediction.top;
      return say("class_share", { label: best.label, share: percent(best.probability) });
    }
    const under = at && segmentation.at(at);
    if (!under) return "–";
    return say("class_share", { label: under.label, share: percent(under.confidence) });
  }

  /** How far the centre of a row's mass is from the place that asks. */
  distance(site, state, say) {
    const map = site.keyGrid && site.drawn?.(state);
    const place = site.place?.(state);
    if (!map || !place) return [];
    const { framing, picture } = this.scene;
    const { centre } = spread(map, (index) => {
      const [x, y] = toOriginal(framing, cellCentre(site.keyGrid, index));
      return [x / picture.width, y / picture.height];
    });
    const asked = toOriginal(framing, cellCentre(site.pointerGrid, site.cell(state)));
    const away = Math.hypot(centre[0] * picture.width - asked[0],
      centre[1] * picture.height - asked[1]) / Math.hypot(picture.width, picture.height);
    return [[say("distance"), say("of_diagonal", { share: percent(away) })]];
  }
}

function costWords(cost, say) {
  if (!cost) return say("cost_unknown");
  return say("cost_value", { giga: number(cost.multiply_adds / 1e9),
    more: percent(cost.multiply_adds / cost.plain_multiply_adds - 1),
    milliseconds: number(cost.milliseconds) });
}
