// What looks like attention in a stranger's network and was not captured: where, what and why.

import { h } from "./dom.js";
import { gridForm } from "./evidence.js";

export class Missed {
  constructor() {
    this.title = h("summary");
    this.list = h("div", { class: "va-missed-list" });
    this.root = h("details", { class: "va-missed", hidden: true }, this.title, this.list);
  }

  /** groups: [{reason, settable, places: [{path, what}]}], by reason. */
  show(groups, say) {
    this.root.hidden = groups.length === 0;
    const count = groups.reduce((sum, group) => sum + group.places.length, 0);
    this.title.textContent = say("missed.title", { count });
    this.list.replaceChildren(h("p", { class: "va-quiet" }, say("missed.lead")),
      ...groups.map((group) => this.group(group, say)));
  }

  group({ reason, settable, places }, say) {
    return h("section", {}, h("p", {}, reason),
      h("ul", {}, places.map(({ path, what }) => h("li", {},
        h("code", {}, path || "-"), h("span", { class: "va-quiet" }, what)))),
      settable ? gridForm({ sites: places.map(({ path }) => path) }, say) : null);
  }
}
