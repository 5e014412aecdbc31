// The tab "Cost": a chart and a table of what mechanisms cost as the number of places grows.

import { h, svg } from "./canvas/dom.js";
import { choice, press } from "./canvas/fields.js";
import { speaker } from "./canvas/format.js";
import { Chart, DASHES } from "./costs/chart.js";
import { Table } from "./costs/table.js";
import { MEASURES, cost, power } from "./costs/units.js";

const FIRST = "nonlocal";
const NARROWEST = 280;

class Costs {
  constructor(element, { texts, language, measured }) {
    this.texts = texts;
    this.measured = measured;
    this.mechanisms = measured.mechanisms;
    this.addressNames = ["tab", "mechanism", "measure"];
    this.state = this.arrival(new URLSearchParams(window.location.search));
    this.build();
    element.replaceChildren(this.root);
    this.setLanguage(language);
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.plot);
  }

  /** What the address names, else the first measure and the block that others are cheaper than. */
  arrival(named) {
    const own = named.get("tab") === "costs" ? named : new URLSearchParams();
    const index = (slug) => this.mechanisms.findIndex((one) => one.slug === slug);
    const measure = MEASURES.find((one) => one === own.get("measure")) ?? MEASURES[0];
    const chosen = [own.get("mechanism"), FIRST].map(index).find((found) => found >= 0) ?? 0;
    const last = this.mechanisms[0].points.length - 1;
    return { measure, chosen, pointed: null, sort: { column: last, order: -1 } };
  }

  build() {
    const choose = (chosen) => this.set({ chosen, pointed: null });
    this.lead = h("p", {});
    this.measures = choice("measure", MEASURES, (measure) => this.set({ measure }));
    this.key = h("p", { class: "vk-key" });
    this.chart = new Chart(this.mechanisms, { point: (pointed) => this.point(pointed), choose });
    this.plot = h("div", { class: "vk-chart" }, this.chart.root);
    this.said = h("p", { class: "vk-said", role: "status" });
    this.table = new Table(this.mechanisms, { choose, sort: (column) => this.sort(column) });
    this.findingsTitle = h("h3", {});
    this.findings = h("ul", {});
    this.how = h("p", { class: "va-quiet" });
    this.machine = h("p", { class: "va-quiet" });
    this.root = h("div", { class: "va vk" }, this.lead,
      h("div", { class: "vk-bar" }, this.measures.root, this.key), this.plot, this.said,
      this.table.root, h("section", {}, this.findingsTitle, this.findings), this.how, this.machine);
  }

  set(part) {
    this.state = { ...this.state, ...part };
    this.draw();
    window.vizattn?.keepAddress();
  }

  point(pointed) {
    const before = this.state.pointed;
    if (before?.index === pointed?.index && before?.point === pointed?.point) return;
    this.state = { ...this.state, pointed };
    this.draw();
  }

  sort(column) {
    const { sort } = this.state;
    const first = column === "name" ? 1 : -1;
    this.set({ sort: { column, order: sort.column === column ? -sort.order : first } });
  }

  setLanguage(language) {
    this.language = language;
    this.say = speaker(this.texts[language]);
    const { say, measured } = this;
    this.lead.textContent = say("lead");
    this.measures.label.textContent = say("control.measure");
    for (const one of this.measures.buttons) one.textContent = say(`measure.${one.dataset.value}`);
    this.key.replaceChildren(...Object.keys(DASHES).sort().reverse().map((exponent) => h("span", {},
      svg("svg", { viewBox: "0 0 32 8", width: 32, height: 8, "aria-hidden": "true" },
        svg("line", { class: "vk-line", x1: 0, x2: 32, y1: 4, y2: 4,
          "stroke-dasharray": DASHES[exponent] })), say(`key.${exponent}`))));
    this.findingsTitle.textContent = say("findings");
    this.findings.replaceChildren(...measured.findings[language].map((words) => h("li", {}, words)));
    this.how.textContent = say("how", { width: measured.width, fitted: measured.fitted_to });
    this.machine.textContent = say("machine", { facts: Object.entries(measured.machine)
      .map(([name, value]) => `${name} ${value}`).join(", ") });
    this.draw();
    window.vizattn?.keepAddress();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      const { state, say } = this;
      const spoken = (words) => words[this.language];
      const shown = { ...state, pointed: state.pointed?.index, say, spoken };
      press(this.measures.buttons, state.measure);
      this.said.replaceChildren(...this.sentences());
      this.table.draw(shown);
      const width = this.plot.clientWidth;
      if (width) this.chart.draw({ ...shown, width: Math.max(width, NARROWEST) });
    });
  }

  /** What the line under the pointer is, else the chosen one at its largest map. */
  sentences() {
    const { measure, chosen, pointed } = this.state;
    const one = this.mechanisms[pointed?.index ?? chosen];
    const point = one.points[pointed?.point ?? one.points.length - 1];
    const side = Math.round(Math.sqrt(point.places));
    return [
      h("strong", {}, this.say("value", { name: one.name[this.language], side,
        value: cost(measure, point[measure]) })), " ",
      this.say("growth", { stated: one.formula, fitted: power(one.fitted[measure]) }),
    ];
  }

  shown() {
    return this.root.checkVisibility() && this.root.clientWidth > 0;
  }

  keepAddress() {
    const url = new URL(window.location.href);
    for (const name of [...url.searchParams.keys()]) url.searchParams.delete(name);
    url.searchParams.set("tab", "costs");
    url.searchParams.set("mechanism", this.mechanisms[this.state.chosen].slug);
    url.searchParams.set("measure", this.state.measure);
    url.searchParams.set("lang", this.language);
    history.replaceState(history.state, "", url);
  }
}

/** Mount the tab: options {texts, language, measured}. */
export function mount(element, options) {
  return new Costs(element, options);
}
