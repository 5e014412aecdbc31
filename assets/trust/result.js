// What a trial found: the verdict, the curves and every test in words.

import { h, mark } from "../canvas/dom.js";
import { chart, keyOf } from "./chart.js";

const CHARTS = ["deletion", "insertion", "road"];

export class Result {
  constructor() {
    this.root = h("div", { class: "vt-result", hidden: true });
    this.found = null;
  }

  /** Show a result in a language, or hide it for null. */
  show(found, language, say) {
    this.found = found;
    this.root.hidden = !found;
    if (!found) return;
    const [verdict, ...lines] = found.words[language];
    const passed = found.verdict === "supported";
    this.root.dataset.verdict = found.verdict;
    this.root.replaceChildren(
      h("p", { class: "vt-about" }, found.about[language]),
      h("p", { class: "vt-verdict", role: "status" },
        ["supported", "refuted", "unmoved"].includes(found.verdict) ? mark(passed) : null,
        h("span", {}, verdict)),
      this.key(say),
      h("div", { class: "vt-charts" }, ...CHARTS.map((name) => this.curves(name, say)),
        found.randomisation ? this.randomised(say) : null),
      h("ul", { class: "vt-lines" }, ...lines.map((line) => h("li", {}, line))));
  }

  key(say) {
    const names = Object.keys(this.found.tests.deletion.scores);
    const lines = keyOf(names.map((name) => [name, say(`control.${name}`)]));
    return h("p", { class: "vt-legend" }, ...names.map((name, i) => h("span", {}, lines[i],
      say(`control.${name}`))));
  }

  curves(name, say) {
    const { curves, fractions, lower_is_better: lower } = this.found.tests[name];
    const most = Math.max(this.found.probability, ...Object.values(curves).flat(2));
    const title = say(`page.chart.${lower ? "lower" : "higher"}`, { test: say(`test.${name}`) });
    return this.figure(title, say(`page.axis.${name}`),
      chart({ at: fractions, curves, range: [0, most], label: title }));
  }

  randomised(say) {
    const { shares, correlations } = this.found.randomisation;
    const title = say("page.chart.randomised");
    const curves = { map: correlations.map((row) => [1, ...row]) };
    return this.figure(title, say("page.axis.randomised"),
      chart({ at: [0, ...shares], curves, range: [-1, 1], label: title }));
  }

  figure(title, axis, plot) {
    return h("figure", { class: "vt-figure" }, h("figcaption", {}, title), plot,
      h("p", { class: "vt-axis-name" }, axis));
  }
}
