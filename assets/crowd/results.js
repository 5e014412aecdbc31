// The column of results: the count, which sense was trusted, the checks, what it cost.

import { h } from "../canvas/dom.js";
import { checkRow } from "../canvas/facts.js";
import { number, percent } from "../canvas/format.js";
import { describeRow } from "../canvas/statistics.js";
import { Cost } from "./cost.js";
import { rowOf } from "./layers.js";
import { SENSES } from "./state.js";
import { countSentence } from "./words.js";

const SECTIONS = ["notes", "count", "trust", "sentence", "row", "regions", "checks", "cost"];

export class Results {
  /** act: {swap(), align(), measure(), stage(index)} */
  constructor(act) {
    this.act = act;
    this.cost = new Cost(act);
    this.sections = {};
    this.root = h("aside", { class: "va-facts vc-results" });
    for (const name of SECTIONS) {
      const title = h("h3");
      const body = h("div");
      this.sections[name] = { title, body, root: h("section", { class: `vc-${name}` }, title, body) };
      this.root.append(this.sections[name].root);
    }
    this.number = h("strong", { class: "vc-number-shown" });
    this.what = h("span", { class: "va-quiet" });
    this.region = h("p", { class: "vc-region-count", "aria-live": "polite" });
    this.used = h("p", { class: "va-quiet" });
    this.sections.count.body.append(h("p", { class: "vc-total", "aria-live": "polite" }, this.number,
      this.what), this.region, this.used);
    this.said = h("p", { class: "va-said vc-said", "aria-live": "polite" });
    this.sections.sentence.body.append(this.said);
    this.sections.cost.body.append(this.cost.root);
  }

  label(say) {
    this.say = say;
    for (const name of SECTIONS) this.sections[name].title.textContent = say(`facts.${name}`);
    this.cost.label(say);
  }

  put(name, ...children) {
    const shown = children.flat().filter(Boolean);
    this.sections[name].body.replaceChildren(...shown);
    this.sections[name].root.hidden = shown.length === 0;
  }

  /** Show what does not change while pointing. */
  fill(scene, spoken) {
    const { payload } = scene;
    const { say } = this;
    this.put("notes", payload.notes.map((note) => h("p", {}, spoken(note.words),
      note.offer ? h("button", { type: "button", class: "va-button vc-offer",
        onclick: () => this.act[note.offer]() }, say(`offer.${note.offer}`)) : null)));
    this.number.textContent = payload.density.count.toFixed(1);
    this.what.textContent = say(`count.${payload.points}`);
    this.used.textContent = [say(`used.${payload.senses.join("_")}`),
      say(`points.${payload.points}`)].join(say("sentence.join"));
    this.said.textContent = countSentence(scene, say);
    this.put("trust", payload.gates.length ? [this.trust(payload)] : []);
    this.put("regions", this.table(payload));
    this.put("checks", payload.checks.map((check) => checkRow({ ...check,
      label: spoken(check.label), text: spoken(check.text) }, say)));
    this.sections.cost.root.hidden = payload.sites.length === 0;
  }

  /** A bar for each stage: blue for RGB, red for thermal; a click shows that stage's gate. */
  trust(payload) {
    const { say } = this;
    const bars = payload.gates.map(({ stage, share: [rgb, thermal] }) => h("li", {},
      h("button", { type: "button", class: "vc-trust-bar", onclick: () => this.act.stage(stage),
        "aria-label": say("trust.bar", { stage: stage + 1, rgb: percent(rgb),
          thermal: percent(thermal) }) },
      h("span", {}, String(stage + 1)), h("span", {}, percent(rgb)),
      h("i", { style: `--va-share: ${rgb}`, "aria-hidden": "true" }),
      h("span", {}, percent(thermal)))));
    return h("div", {}, h("p", { class: "vc-trust-legend" },
      ...SENSES.map((sense) => h("span", {}, h("i", { class: `va-swatch vc-${sense}` }),
        say(`sense.${sense}`)))), h("ol", { class: "vc-trust-bars" }, bars));
  }

  table(payload) {
    const { say } = this;
    const most = Math.max(1e-9, ...payload.regions.flat());
    return h("table", { class: "vc-regions-table" },
      h("caption", { class: "va-hidden" }, say("facts.regions")),
      h("tbody", {}, payload.regions.map((line) => h("tr", {}, line.map((count) =>
        h("td", { style: `--va-share: ${count / most}` }, count.toFixed(1)))))));
  }

  /** Show the count of the region that was drawn. */
  showRegion(scene, region) {
    const { say } = this;
    if (!region) {
      this.region.textContent = "";
      return;
    }
    const count = scene.countIn(region);
    const share = scene.count > 0 ? count / scene.count : 0;
    this.region.textContent = say("count.region", { count: count.toFixed(1), share: percent(share) });
  }

  /** Show the numbers of the row on show, and why its places are several. */
  showRow(scene, state) {
    const { say } = this;
    const known = state.layer === "row" ? scene.tokens(state.stage) : null;
    this.sections.row.root.hidden = !known;
    if (!known) return;
    const found = rowOf(scene, state);
    const facts = found && describeRow(found.row);
    const lines = facts ? [
      [say("numbers.maximum"), number(facts.maximum)],
      [say("numbers.sum"), number(facts.sum, 4)],
      [say("numbers.effective_tokens"),
        say("numbers.of", { value: number(facts.effective), total: found.row.length })],
    ] : [];
    const words = { cells: known.cells.toLocaleString("en-US"),
      tokens: known.tokens.toLocaleString("en-US"), bands: known.bands, stage: state.stage + 1,
      squared: (known.bands ** 2).toLocaleString("en-US") };
    this.put("row", h("p", {}, say("row.why", words)), h("p", { class: "va-quiet" },
      say("row.price", words)),
    lines.length ? h("dl", { class: "vc-numbers" }, lines.flatMap(([label, value]) => [
      h("dt", {}, label), h("dd", {}, value)])) : null);
  }
}
