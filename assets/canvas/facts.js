// The column of facts: prediction, sentence, numbers, the site, its checks, notes.

import { h, mark } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { number, percent } from "./format.js";
import { isComposed } from "./groups.js";

const LEAST_SHARE = 0.0005;
/** Over what the values of a kind sum to 1, where that is not a row. */
const SUMS_OVER = {
  spatial_gate: "places", feature_gate: "places", assignment: "maps", gathering: "places",
  modality_gate: "maps", branch_gate: "branches", expert_gate: "all", rotated_gate: "all",
  height_gate: "places", width_gate: "places", channel_gate: "all", presence: "all",
};

export class Facts {
  constructor() {
    this.sections = {};
    this.root = h("aside", { class: "va-facts" });
    for (const name of ["prediction", "sentence", "checks", "numbers", "site", "notes"]) {
      const title = h("h3");
      const body = h("div");
      this.sections[name] = { title, body, root: h("section", { class: `va-${name}` }, title, body) };
      this.root.append(this.sections[name].root);
    }
    this.said = h("p", { class: "va-said" });
    this.live = h("p", { class: "va-hidden", "aria-live": "polite" });
    this.sections.sentence.body.append(this.said, this.live);
  }

  put(name, title, ...children) {
    const { root, body, title: head } = this.sections[name];
    const shown = children.flat().filter(Boolean);
    head.textContent = title;
    body.replaceChildren(...shown);
    root.hidden = shown.length === 0;
  }

  /** Show what does not change while pointing. */
  fill(payload, say) {
    const { prediction } = payload;
    this.here = h("p", { class: "va-here" });
    this.put("prediction", say("facts.prediction"), ...(prediction
      ? prediction.kind === "segment" ? [legend(prediction, say), this.here]
        : [ranks(prediction, say)]
      : []));
    this.sections.sentence.title.textContent = say("facts.sentence");
    this.put("notes", say("facts.notes"), (payload.notes ?? []).map((note) => h("p", {}, note)));
  }

  /** Show what a site is and whether its picture is true. */
  showSite(site, say) {
    this.put("site", say("facts.site"),
      h("p", { class: "va-strong" }, site.title),
      h("p", {}, say(`kind.${site.kind}`)),
      isComposed(site) ? h("p", {}, say("facts.composed")) : null,
      site.formula ? h("p", { class: "va-formula" }, site.formula) : null,
      site.remark ? h("p", { class: "va-note" }, say(site.remark)) : null,
      site.note ? h("p", { class: "va-note" }, site.note) : null,
      site.shape ? h("p", { class: "va-quiet" }, say("facts.shape", { shape: site.shape })) : null,
      h("p", { class: "va-quiet" }, say(claimKey(site))), ...evidenceOf(site, say));
    this.put("checks", say("facts.checks"), (site.checks ?? []).map((check) => checkRow(check, say)));
  }

  /** Show the class under the pointer, or what to do. */
  showClass(under, say) {
    if (!this.here) return;
    this.here.replaceChildren(...(under
      ? [swatch(under.colour), h("span", {}, say("facts.class_here", { label: under.label })),
        under.confidence === null ? "" : h("span", { class: "va-value" }, percent(under.confidence))]
      : [h("span", { class: "va-quiet" }, say("facts.class_none"))]));
  }

  /** Show the numbers of the current row and its largest entries. */
  showNumbers(rows, top, say) {
    const list = h("dl", {}, rows.map(([label, value]) => h("div", {}, h("dt", {}, label),
      h("dd", {}, value))));
    this.put("numbers", say("facts.numbers"), rows.length ? [list] : [],
      top?.entries.length ? [h("p", { class: "va-top-title" }, top.title), this.topList(top)] : []);
  }

  topList(top) {
    return h("ol", { class: "va-top" }, top.entries.map((entry) => h("li", {},
      h("span", {}, entry.label),
      entry.under ? h("span", { class: "va-under" }, swatch(entry.under.colour), entry.under.label)
        : null,
      h("span", { class: "va-value" }, number(entry.weight)))));
  }

  /** Show the sentence; `aloud` gives it to screen readers too. */
  showSentence(text, aloud) {
    this.said.textContent = text;
    if (aloud) this.live.textContent = text;
  }
}

function claimKey({ kind, claim }) {
  return claim === "simplex" && SUMS_OVER[kind] ? `claim.simplex_${SUMS_OVER[kind]}`
    : `claim.${claim}`;
}

export function swatch(colour) {
  return h("i", { class: "va-swatch", style: `background: ${colour}`, "aria-hidden": "true" });
}

function ranks(prediction, say) {
  if (!prediction.top.length) return h("p", {}, say("facts.no_classes"));
  return h("ol", { class: "va-ranks" }, prediction.top.map((entry) => h("li", {},
    h("span", {}, entry.label),
    h("span", { class: "va-value" }, percent(entry.probability)),
    h("i", { class: "va-rank-bar", "aria-hidden": "true",
      style: `--va-share: ${Math.min(Math.max(entry.probability, 0), 1)}` }))));
}

function legend(prediction, say) {
  const order = prediction.classes.map((_, i) => i)
    .filter((i) => (prediction.share?.[i] ?? 0) >= LEAST_SHARE)
    .sort((a, b) => prediction.share[b] - prediction.share[a]);
  return h("ul", { class: "va-legend", "aria-label": say("facts.legend") }, order.map((i) =>
    h("li", {}, swatch(prediction.colours[i]), h("span", {}, prediction.classes[i]),
      h("span", { class: "va-value" }, percent(prediction.share[i])))));
}

export function checkRow(check, say) {
  const verdict = say(check.passed ? "facts.passed" : "facts.failed");
  return h("div", { class: "va-check" }, mark(check.passed),
    h("span", { class: "va-check-name" }, check.label ?? check.name),
    h("span", { class: check.passed ? "va-verdict va-passed" : "va-verdict va-failed" }, verdict),
    h("span", { class: "va-check-value" },
      say("facts.check_value", { value: number(check.value, 2), limit: number(check.limit, 1) })),
    check.text ? h("span", { class: "va-check-text" }, check.text) : null);
}
