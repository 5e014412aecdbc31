// Every mechanism's costs in a table that sorts by any column and chooses by any name.

import { h } from "../canvas/dom.js";
import { cost, power } from "./units.js";

export class Table {
  /** act: {choose(index), sort(column)}; columns: "name", "stated", "fitted" or a map's index. */
  constructor(mechanisms, act) {
    this.mechanisms = mechanisms;
    this.act = act;
    this.sides = mechanisms[0].points.map((point) => Math.round(Math.sqrt(point.places)));
    this.columns = ["name", "stated", "fitted", ...this.sides.map((_, index) => index)];
    this.root = h("div", { class: "vk-scroll", tabindex: "0" });
  }

  draw({ measure, chosen, pointed, sort, say, spoken }) {
    const { columns } = this;
    const active = this.root.contains(document.activeElement)
      ? document.activeElement.dataset.key : null;
    this.root.setAttribute("aria-label", say("tab"));
    this.root.replaceChildren(h("table", {},
      h("thead", {}, h("tr", {}, ...columns.map((column) => this.head(column, sort, say)))),
      h("tbody", {}, ...this.sorted(measure, sort, spoken)
        .map((index) => this.row(index, { measure, chosen, pointed, spoken })))));
    // What had the focus was drawn anew.
    if (active) this.root.querySelector(`[data-key="${active}"]`)?.focus({ preventScroll: true });
  }

  head(column, sort, say) {
    const title = typeof column === "number" ? say("column.side", { side: this.sides[column] })
      : say(`column.${column}`);
    const own = sort.column === column;
    const state = own ? { 1: "ascending", [-1]: "descending" }[sort.order] : "none";
    return h("th", { scope: "col", "aria-sort": state, class: `vk-${kind(column)}` },
      h("button", { type: "button", "data-key": `sort-${column}`, title: say("sort"),
        onclick: () => this.act.sort(column) }, title,
      h("span", { class: "vk-order", "aria-hidden": "true" }, own ? { 1: "▲", [-1]: "▼" }[sort.order] : "")));
  }

  row(index, { measure, chosen, pointed, spoken }) {
    const one = this.mechanisms[index];
    const names = [index === chosen && "vk-chosen", index === pointed && "vk-pointed"];
    return h("tr", { class: names.filter(Boolean).join(" "), "data-slug": one.slug },
      h("th", { scope: "row" }, h("button", { type: "button", "data-key": one.slug,
        "aria-pressed": String(index === chosen), onclick: () => this.act.choose(index) },
      spoken(one.name))),
      h("td", {}, one.formula),
      h("td", { class: "vk-number" }, "N", h("sup", {}, power(one.fitted[measure]))),
      one.points.map((point) => h("td", { class: "vk-number" }, cost(measure, point[measure]))));
  }

  sorted(measure, { column, order }, spoken) {
    const value = {
      name: (one) => spoken(one.name),
      stated: (one) => one.exponent,
      fitted: (one) => one.fitted[measure],
    }[column] ?? ((one) => one.points[column][measure]);
    const keys = this.mechanisms.map(value);
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    return keys.map((_, index) => index).sort((a, b) => order * compare(keys[a], keys[b]) || a - b);
  }
}

function kind(column) {
  return column === "name" || column === "stated" ? "words" : "number";
}
