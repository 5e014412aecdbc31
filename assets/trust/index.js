// The panel "Trust": make a class map, put the map on show on trial, read the verdict.

import { h } from "../canvas/dom.js";
import { speaker } from "../canvas/format.js";
import { Result } from "./result.js";

const EFFORTS = ["quick", "thorough"];

class Panel {
  /** options: {texts, language, methods, current(), send(name, question), made(site)} */
  constructor(element, options) {
    this.options = options;
    this.offer = null;
    this.turn = 0;
    this.flying = null;
    this.result = new Result();
    this.method = h("select");
    this.target = h("select");
    this.effort = h("select");
    this.make = h("button", { class: "va-button", type: "button", onclick: () => this.ask("cam") });
    this.test = h("button", { class: "va-button vt-primary", type: "button",
      onclick: () => this.ask("ask") });
    this.stop = h("button", { class: "va-button", type: "button", onclick: () => this.halt() });
    this.bar = h("progress", { max: 1, value: 0 });
    this.said = h("span", { role: "status" });
    this.waiting = h("p", { class: "vt-waiting", hidden: true }, this.bar, this.said, this.stop);
    this.build(element);
    this.setLanguage(options.language);
  }

  build(element) {
    this.names = { title: h("h2"), method: h("span"), target: h("span"), effort: h("span"),
      maps: h("p", { class: "vt-hint" }), test: h("p", { class: "vt-hint" }) };
    const field = (name, select) => h("label", { class: "va-field" }, this.names[name], select);
    this.root = h("section", { class: "va vt" }, this.names.title,
      h("div", { class: "vt-tools" },
        h("div", { class: "vt-group" }, this.names.maps,
          h("div", { class: "va-controls" }, field("method", this.method),
            field("target", this.target), this.make)),
        h("div", { class: "vt-group" }, this.names.test,
          h("div", { class: "va-controls" }, field("effort", this.effort), this.test))),
      this.waiting, this.result.root);
    element.replaceChildren(this.root);
  }

  /** Put everything into a language. */
  setLanguage(language) {
    this.language = language;
    this.say = speaker(this.options.texts[language]);
    for (const [name, node] of Object.entries(this.names)) {
      node.textContent = this.say(`page.${name}`);
    }
    this.make.textContent = this.say("page.make");
    this.test.textContent = this.say("page.run");
    this.stop.textContent = this.say("page.stop");
    options(this.method, this.options.methods);
    options(this.effort, EFFORTS.map((name) => [name, this.say(`page.effort.${name}`)]));
    this.fill();
    this.result.show(this.result.found, language, this.say);
  }

  fill() {
    const classes = this.offer?.classes ?? [];
    options(this.target, [["", this.say("page.predicted")],
      ...classes.map((words, index) => [String(index), words[this.language]])]);
    const ready = Boolean(this.offer) && !this.flying;
    for (const one of [this.make, this.test]) one.disabled = !ready;
  }

  setProjector(on) {
    this.root.classList.toggle("va-projector", on);
  }

  /** Ask for a class map ("cam") or a trial ("ask"). */
  ask(name) {
    this.turn += 1;
    this.flying = { name, turn: this.turn };
    const target = this.target.value === "" ? null : Number(this.target.value);
    this.options.send(name, { turn: this.turn, selection: this.options.current(),
      method: this.method.value, target, effort: this.effort.value });
    this.progress(null);
    this.fill();
  }

  halt() {
    if (!this.flying) return;
    this.options.send("stop", { turn: this.flying.turn });
    this.end();
  }

  end() {
    this.flying = null;
    this.waiting.hidden = true;
    this.fill();
  }

  progress(part) {
    this.waiting.hidden = false;
    if (part) {
      [this.bar.value, this.bar.max] = part;
      this.said.textContent = this.say("page.progress", { done: part[0], total: part[1] });
    } else {
      this.bar.removeAttribute("value");
      this.said.textContent = this.say("page.waiting");
    }
  }

  /** Take a message of the server; answers to questions that nobody waits for are passed over. */
  receive(message) {
    if (message.offer) return this.renew(message.offer);
    if (!this.flying || message.turn !== this.flying.turn) return undefined;
    if (message.progress) return this.progress(message.progress);
    if (message.result) this.result.show(message.result, this.language, this.say);
    if (message.made) this.options.made(message.made);
    return this.end();
  }

  /** Another analysis is on show: what was found of the one before does not belong to it. */
  renew(offer) {
    const another = offer.id !== this.offer?.id;
    this.offer = offer;
    if (another) {
      this.result.show(null);
      this.halt();
    }
    this.fill();
  }
}

function options(select, entries) {
  const { value } = select;
  select.replaceChildren(...entries.map(([name, words]) => h("option", { value: name }, words)));
  if (entries.some(([name]) => name === value)) select.value = value;
}

/** Mount the panel into an element; also reachable as element.trust. */
export function mount(element, settings) {
  const panel = new Panel(element, settings);
  element.trust = panel;
  return panel;
}
