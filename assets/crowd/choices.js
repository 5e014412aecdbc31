// The column of choices: a pair of pictures, a network, and what can be taken away.

import { h, svg } from "../canvas/dom.js";
import { SENSES } from "./state.js";

const UP = "M8 10.5V2.5M4.8 5.5 8 2.5l3.2 3M2.5 10.5v2a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-2";
const WIDE = window.matchMedia("(min-width: 900px)");
const SAVES = [["figure", "PNG"], ["arrays", "NPZ"], ["regions", "CSV"], ["summary", "JSON"],
  ["script", "PY"]];

export class Choices {
  /**
   * act: {send({sense: file}), remove(sense), swap(), example(id), network(name), save(kind),
   * copyLink(done), message(words)}; offer: {examples, networks, limit} of the server.
   */
  constructor(act, offer) {
    this.act = act;
    this.offer = offer;
    this.root = h("div", { class: "vp-choices vc-choices" });
    this.said = h("p", { class: "vp-said", role: "status" });
    this.shown = { pair: null, network: offer.networks[0]?.name, own: false, names: {} };
    WIDE.addEventListener("change", () => {
      if (this.drawer) this.drawer.open = WIDE.matches;
    });
  }

  label(say, spoken) {
    this.say = say;
    this.spoken = spoken;
    this.draw();
  }

  /** Show what is open: {pair, network, own, names: {rgb, thermal}}. */
  show(shown) {
    if (JSON.stringify(shown) === JSON.stringify(this.shown)) return;
    this.shown = shown;
    this.draw();
  }

  warn(words) {
    this.said.textContent = words;
  }

  draw() {
    const { say } = this;
    const isOpen = WIDE.matches || Boolean(this.drawer?.open);
    const network = this.networkOf(this.shown.network);
    this.drawer = h("details", { open: isOpen },
      h("summary", {}, h("span", { class: "vp-drawer" }, say("choices.drawer")),
        h("span", { class: "vp-now" }, network ? this.spoken(network.title) : "")),
      h("div", { class: "vp-sections" },
        this.section("choices.own", ...SENSES.map((sense) => this.slot(sense)), this.swap(), this.said),
        this.offer.examples.length ? this.section("choices.examples", this.examples()) : null,
        this.section("choices.network", this.menu(), this.about(network)),
        this.section("choices.save", this.saves(), this.link())));
    this.root.replaceChildren(this.drawer);
  }

  section(key, ...children) {
    return h("section", {}, h("h2", {}, this.say(key)), ...children);
  }

  /** A place for the picture of one sense: it takes what is dropped on it. */
  slot(sense) {
    const { say } = this;
    const name = this.shown.own ? this.shown.names[sense] : null;
    const file = h("input", { type: "file", accept: "image/*,.tif,.tiff", class: "vp-hidden",
      "data-sense": sense, tabindex: "-1", "aria-hidden": "true", onchange: () => {
        if (file.files[0]) this.take({ [sense]: file.files[0] });
        file.value = "";
      } });
    const choose = h("button", { type: "button", class: "vp-link", onclick: () => file.click() },
      say(name ? "choices.replace" : "choices.choose"));
    const both = this.shown.own && SENSES.every((one) => this.shown.names[one]);
    const remove = both ? h("button", { type: "button", class: "vp-link",
      onclick: () => this.act.remove(sense) }, say("choices.remove")) : null;
    return h("div", { class: "vp-drop vc-drop", "data-sense": sense }, file, icon(UP),
      h("p", {}, h("strong", {}, say(`choices.${sense}`)),
        h("span", { class: "vc-name", title: name ?? "" }, name ?? say(`choices.${sense}_hint`)),
        h("span", { class: "vc-links" }, choose, remove)));
  }

  swap() {
    return h("button", { type: "button", class: "vp-button", onclick: () => this.act.swap() },
      this.say("choices.swap"));
  }

  examples() {
    return h("div", { class: "vp-examples vc-examples", role: "group",
      "aria-label": this.say("choices.examples") }, this.offer.examples.map((one) =>
      h("button", { type: "button", title: this.spoken(one.title), "data-pair": one.id,
        "aria-label": this.spoken(one.title), "aria-pressed": String(one.id === this.shown.pair),
        onclick: () => this.act.example(one.id) },
      ...one.thumbnails.map((source) => h("img", { src: source, alt: "", loading: "lazy" })))));
  }

  menu() {
    return h("select", { "aria-label": this.say("choices.network"),
      onchange: (event) => this.act.network(event.target.value) },
    this.offer.networks.map((one) => h("option", { value: one.name,
      selected: one.name === this.shown.network }, this.spoken(one.title))));
  }

  about(network) {
    if (!network) return null;
    return h("div", { class: "vp-about" }, h("p", {}, this.spoken(network.line)),
      network.metric ? h("p", { class: "vp-metric" }, h("strong", {}, this.spoken(network.metric)))
        : null);
  }

  networkOf(name) {
    return this.offer.networks.find((one) => one.name === name);
  }

  saves() {
    const { say } = this;
    return h("div", { class: "vp-saves" }, SAVES.map(([kind, suffix]) => h("button", {
      type: "button", class: "vp-button", title: say(`save.${kind}_hint`), "data-save": kind,
      onclick: () => this.act.save(kind) },
    h("span", {}, say(`save.${kind}`)), h("small", {}, suffix))));
  }

  link() {
    if (!navigator.clipboard) return null;
    const words = this.say(this.shown.own ? "link.own" : "link.copy");
    const one = h("button", { type: "button", class: "vp-link vp-copy", onclick: async () => {
      await this.act.copyLink();
      one.textContent = this.say("link.copied");
      setTimeout(() => { one.textContent = words; }, 1600);
    } }, words);
    return one;
  }

  /** Take files by sense, unless one is too large. */
  take(files) {
    const heavy = Object.values(files).some((file) => file.size > this.offer.limit * 1024 * 1024);
    this.warn(heavy ? this.say("choices.too_heavy", { limit: this.offer.limit }) : "");
    if (!heavy) this.act.send(files);
  }

  /** Take what was dropped anywhere or pasted: two files are RGB and thermal, in this order. */
  takeDropped(files, target) {
    const slot = target?.closest?.(".vc-drop")?.dataset.sense;
    if (files.length > 1) this.take({ rgb: files[0], thermal: files[1] });
    else if (files.length) this.take({ [slot ?? "rgb"]: files[0] });
  }
}

function icon(path) {
  return h("span", { class: "vp-icon" }, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true",
    fill: "none", stroke: "currentColor", "stroke-width": "1.5", "stroke-linecap": "round",
    "stroke-linejoin": "round" }, svg("path", { d: path })));
}
