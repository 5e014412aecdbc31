// What can be done at a site: its choices, the slider of a number, and the brush.

import { h } from "../canvas/dom.js";
import { button } from "../canvas/fields.js";

const FIRST = { top: 5, local: 5 };

export class Tools {
  /** act: {choose(name), number(value), brush(part), hold(on), dot(), undo(), reset()} */
  constructor(act) {
    this.act = act;
    this.choices = h("div", { class: "vs-choices", role: "group" });
    this.hint = h("p", { class: "va-quiet vs-hint" });
    this.number = slider((index) => act.number(this.values[index]));
    this.hold = button(() => act.hold(this.hold.getAttribute("aria-pressed") !== "true"));
    this.erase = button(() => act.brush({ erasing: this.erase.getAttribute("aria-pressed") !== "true" }));
    this.dot = button(() => act.dot());
    this.size = slider((index) => act.brush({ size: (index + 1) / 100 }));
    this.value = slider((index) => act.brush({ value: index / 20, erasing: false }));
    Object.assign(this.size.input, { min: 0, max: 29 });
    Object.assign(this.value.input, { min: 0, max: 20 });
    this.painting = h("div", { class: "vs-row" }, this.hold, this.value.root, this.size.root,
      this.erase, this.dot);
    this.undo = button(() => act.undo());
    this.reset = button(() => act.reset());
    this.root = h("div", { class: "vs-tools" },
      h("div", { class: "vs-row" }, this.choices, this.undo, this.reset),
      this.hint, this.number.root, this.painting);
  }

  label(say) {
    this.choices.setAttribute("aria-label", say("panel.choices"));
    for (const name of ["hold", "erase", "dot", "undo", "reset"]) {
      this[name].textContent = say(`panel.${name}`);
    }
    this.size.label.textContent = say("panel.size");
    this.value.label.textContent = say("panel.value");
    this.offered = null;
  }

  /** The number that an operation begins with. */
  first(name, most) {
    return Math.min(FIRST[name], most);
  }

  /** Show the choices of a site and which of them is taken. */
  show(offer, own, undoable, say) {
    const wanted = JSON.stringify(offer);
    if (wanted !== this.offered) {
      this.offered = wanted;
      this.choices.replaceChildren(...this.buttons(offer, say));
    }
    for (const one of this.choices.children) {
      one.setAttribute("aria-pressed", String(one.dataset.value === (own?.name ?? "")));
    }
    this.hint.textContent = say(offer ? this.hintOf(own, offer) : "panel.no_room");
    this.undo.disabled = !undoable;
    this.reset.disabled = !own && !undoable;
    this.painting.hidden = own?.name !== "paint";
    const most = own && own.number !== null ? offer?.[own.name] : null;
    this.number.root.hidden = !most;
    if (most) this.showNumber(own, most, say);
  }

  buttons(offer, say) {
    if (!offer) return [];
    return [null, ...Object.keys(offer)].map((name) => h("button", { type: "button",
      class: "va-button", "data-value": name ?? "", onclick: () => this.act.choose(name) },
      say(name ? `op.${nameOf(name, offer)}` : "op.as_it_is")));
  }

  hintOf(own, offer) {
    return own ? `hint.${nameOf(own.name, offer)}` : "hint.as_it_is";
  }

  showNumber({ name, number }, most, say) {
    this.values = name === "local" ? odd(most) : steps(most);
    const index = this.values.findIndex((value) => value >= number);
    Object.assign(this.number.input, { min: 0, max: this.values.length - 1 });
    this.number.input.value = index < 0 ? this.values.length - 1 : index;
    this.number.label.textContent = say(`number.${name}`);
    this.number.output.textContent = say(`number.${name}_value`, { value: number, most });
    this.number.input.setAttribute("aria-valuetext", this.number.output.textContent);
  }

  showBrush(brush, say) {
    this.hold.setAttribute("aria-pressed", String(brush.on));
    this.erase.setAttribute("aria-pressed", String(brush.erasing));
    this.size.input.value = Math.round(brush.size * 100) - 1;
    this.size.output.textContent = say("panel.size_value", { share: Math.round(brush.size * 100) });
    this.value.input.value = Math.round(brush.value * 20);
    this.value.output.textContent = brush.value.toFixed(2);
  }

  /** A change in words. */
  words({ name, number }, say) {
    const words = say(`op.${name}`);
    return number === null ? words : `${words}: ${number}`;
  }
}

/** Rows have words of their own where a gate's would not fit. */
function nameOf(name, offer) {
  return name === "off" && "no-self" in offer ? "off_rows" : name;
}

function slider(moved) {
  const label = h("span");
  const output = h("output", { class: "va-value" });
  const input = h("input", { type: "range", step: 1, oninput: () => moved(+input.value) });
  return { label, output, input,
    root: h("label", { class: "vs-slider" }, h("span", {}, label, output), input) };
}

/** Whole numbers from 1 to the largest, ever further apart, the largest among them. */
function steps(most) {
  const values = [];
  for (let value = 1; value < most; value = Math.max(value + 1, Math.round(value * 1.25))) {
    values.push(value);
  }
  return [...values, most];
}

function odd(most) {
  return Array.from({ length: Math.ceil(most / 2) }, (_, index) => 2 * index + 1);
}
