// Sliders that change the pair before the network sees it; the curve of the count against them.

import { h } from "../canvas/dom.js";
import { button, choice, press } from "../canvas/fields.js";
import { number } from "../canvas/format.js";
import { Chart } from "./chart.js";
import { SENSES, STAGES, leavesAll, normal, unchanged } from "./state.js";

const ROOMY = window.matchMedia("(min-width: 780px)");
const SWEPT = 9;
const SETTLED = 700;

/** What each slider does to the changes, and over which range. */
const KNOBS = {
  shift_x: { still: 0, unit: "px", range: (frame) => reach(frame), of: (c) => c.shift[0],
    set: (c, value) => ({ ...c, shift: [value, c.shift[1]] }) },
  shift_y: { still: 0, unit: "px", range: (frame) => reach(frame), of: (c) => c.shift[1],
    set: (c, value) => ({ ...c, shift: [c.shift[0], value] }) },
  light: { still: 1, unit: "×", step: 0.05, range: () => [0, 2], of: (c) => c.light,
    set: (c, value) => ({ ...c, light: value }) },
  noise: { still: 0, unit: "", range: () => [0, 120], step: 5, of: (c) => c.noise?.[1] ?? 0,
    set: (c, value, sense) => ({ ...c, noise: value > 0 ? [sense, value] : null }) },
};

/** A tenth of the picture's width to either side, in whole pixels that divide it evenly. */
function reach(frame) {
  const most = Math.max(8, Math.round(frame.width / 80) * 8);
  return [-most, most];
}

export class Laboratory {
  /** act: {change(changes), sweep([{knob, value, changes}])} */
  constructor(act) {
    this.act = act;
    this.knob = "light";
    this.noisy = "rgb";
    this.points = new Map();
    this.sliders = Object.fromEntries(Object.keys(KNOBS).map((name) => [name, this.slider(name)]));
    this.blank = choice("blank", ["none", ...SENSES],
      (value) => this.change({ ...this.changes, blank: value === "none" ? null : value }));
    this.noise = choice("noisy", SENSES, (value) => this.chooseNoisy(value));
    this.offLabel = h("span");
    this.off = Array.from({ length: STAGES }, (_, stage) => h("button",
      { type: "button", "data-value": String(stage), onclick: () => this.toggle(stage) },
      String(stage + 1)));
    this.offRoot = h("div", { class: "va-choice vc-off", role: "group" }, this.offLabel,
      h("span", { class: "va-segments" }, ...this.off));
    this.undo = button(() => this.change(unchanged()));
    this.said = h("p", { class: "vc-lab-said", role: "status" });
    this.chart = new Chart();
    this.title = h("summary");
    this.lead = h("p", { class: "va-quiet" });
    const knobs = h("div", { class: "vc-knobs" },
      ...Object.values(this.sliders).map((slider) => slider.root),
      h("div", { class: "va-controls" }, this.noise.root, this.blank.root, this.offRoot));
    this.root = h("details", { class: "vc-lab", open: ROOMY.matches }, this.title,
      h("div", { class: "vc-lab-head" }, this.said, this.undo),
      h("div", { class: "vc-lab-columns" }, knobs, this.chart.root));
  }

  slider(name) {
    const label = h("span");
    const value = h("output", { class: "va-value" });
    const input = h("input", { type: "range", "data-name": name,
      oninput: () => this.slide(name, +input.value), onchange: () => this.settle() });
    return { label, input, value, root: h("label", { class: "vc-knob" }, label, value, input) };
  }

  slide(name, value) {
    this.knob = name;
    this.change(KNOBS[name].set(this.changes, value, this.noisy));
  }

  chooseNoisy(sense) {
    this.noisy = sense;
    const { noise } = this.changes;
    this.change({ ...this.changes, noise: noise && [sense, noise[1]] });
  }

  toggle(stage) {
    const off = this.changes.off.includes(stage)
      ? this.changes.off.filter((one) => one !== stage) : [...this.changes.off, stage];
    this.change({ ...this.changes, off });
  }

  change(changes) {
    clearTimeout(this.timer);
    this.act.change(normal(changes));
    this.timer = setTimeout(() => this.settle(), SETTLED);
  }

  /** Ask for the rest of the curve of the knob that was moved last. */
  settle() {
    clearTimeout(this.timer);
    if (!this.scene || leavesAll(this.changes) || !this.possible(this.knob)) return;
    const known = this.curve();
    const values = spread(KNOBS[this.knob].range(this.scene.frame), this.stepOf(this.knob));
    const knob = this.knob === "noise" ? `noise_${this.noisy}` : this.knob;
    this.act.sweep(values.filter((value) => !known.has(value))
      .map((value) => ({ knob, value, changes: this.at(value) })));
  }

  /** The changes with the knob at another value. */
  at(value) {
    return normal(KNOBS[this.knob].set(this.changes, value, this.noisy));
  }

  stepOf(name) {
    return KNOBS[name].step ?? 1;
  }

  /** The measured points that differ from the changes on show by the knob alone, by its value. */
  curve() {
    const wanted = this.rest(this.changes);
    const own = [...this.points.values()].filter(({ changes }) => this.rest(changes) === wanted
      && !(this.knob === "noise" && (changes.noise?.[0] ?? this.noisy) !== this.noisy));
    return new Map(own.map((point) => [KNOBS[this.knob].of(point.changes), point]));
  }

  /** Everything but the knob. */
  rest(changes) {
    const { set, still } = KNOBS[this.knob];
    return JSON.stringify(normal(set(changes, still, this.noisy)));
  }

  /** Keep a measured point: trusts are each stage's share of RGB, null where it has none. */
  measured(changes, count, trusts) {
    this.points.set(JSON.stringify(normal(changes)), { changes, count, trusts });
  }

  /** Another pair or network: what was measured before is of no use. */
  renew(scene) {
    clearTimeout(this.timer);
    this.points.clear();
    this.scene = scene;
  }

  possible(name) {
    const senses = this.scene?.senses ?? [];
    if (name.startsWith("shift")) return senses.length > 1;
    if (name === "light") return senses.includes("rgb");
    return senses.includes(this.noisy);
  }

  label(say) {
    this.say = say;
    this.title.textContent = say("lab.title");
    for (const name of Object.keys(KNOBS)) this.sliders[name].label.textContent = say(`lab.${name}`);
    for (const [one, key] of [[this.blank, "blank"], [this.noise, "noisy"]]) {
      one.label.textContent = say(`lab.${key}`);
      one.root.setAttribute("aria-label", say(`lab.${key}`));
      for (const each of one.buttons) each.textContent = say(`lab.${key}_${each.dataset.value}`);
    }
    this.offLabel.textContent = say("lab.off");
    this.offRoot.setAttribute("aria-label", say("lab.off"));
    for (const one of this.off) {
      one.title = say("lab.off_hint", { stage: +one.dataset.value + 1 });
      one.setAttribute("aria-label", one.title);
    }
    this.undo.textContent = say("lab.undo");
  }

  /** Show the changes of a state, what they did to the count, and the curve. */
  show(state, scene, baseline, stages) {
    this.changes = state.changes;
    this.scene = scene;
    if (state.changes.noise) this.noisy = state.changes.noise[0];
    for (const [name, knob] of Object.entries(KNOBS)) this.showSlider(name, knob, scene);
    press(this.blank.buttons, state.changes.blank ?? "none");
    press(this.noise.buttons, this.noisy);
    for (const one of this.blank.buttons) one.disabled = scene.senses.length < 2;
    for (const one of this.noise.buttons) one.disabled = !scene.senses.includes(one.dataset.value);
    for (const one of this.off) {
      one.setAttribute("aria-pressed", String(!state.changes.off.includes(+one.dataset.value)));
      one.disabled = scene.senses.length < 2 || !stages.has(+one.dataset.value);
    }
    this.offRoot.hidden = stages.size === 0;
    this.undo.disabled = leavesAll(state.changes);
    this.showCount(scene, baseline, state);
    this.showChart(state);
  }

  showSlider(name, knob, scene) {
    const { input, value } = this.sliders[name];
    const [low, high] = knob.range(scene.frame);
    const now = knob.of(this.changes);
    Object.assign(input, { min: low, max: high, step: this.stepOf(name) });
    if (+input.value !== now) input.value = now;
    input.disabled = !this.possible(name);
    value.textContent = `${+now.toFixed(2)} ${knob.unit}`.trim().replace("-", "−");
  }

  showCount(scene, baseline, state) {
    const now = scene.count.toFixed(1);
    const was = baseline.count.toFixed(1);
    const by = scene.count - baseline.count;
    const sign = by < 0 ? "−" : "+";
    this.said.textContent = leavesAll(state.changes) ? this.say("lab.still", { count: was })
      : this.say("lab.changed", { now, was, by: `${sign}${Math.abs(by).toFixed(1)}` });
  }

  showChart(state) {
    const knob = KNOBS[this.knob];
    const points = [...this.curve()].map(([value, { count, trusts }]) => ({ value, count,
      thermal: 1 - (trusts[state.stage] ?? NaN) }));
    const title = this.say("chart.title", { knob: this.say(`lab.${this.knob}`) });
    this.chart.show({ points, range: knob.range(this.scene.frame), current: knob.of(this.changes),
      still: knob.still, title, unit: knob.unit, stage: state.stage + 1, say: this.say });
  }
}

/** Values over a range, the ends included, on the steps of a slider. */
function spread([low, high], step) {
  return Array.from({ length: SWEPT }, (_, i) => {
    const value = low + ((high - low) * i) / (SWEPT - 1);
    return Math.round(Math.round(value / step) * step * 1e6) / 1e6;
  });
}
