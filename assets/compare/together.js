// Networks that belong side by side: a button for each group, and what their study measured.

import { h } from "../canvas/dom.js";
import { button } from "../canvas/fields.js";

export class Together {
  /** groups: [{networks, site, title, said}]; open(group) shows one. */
  constructor(groups, open) {
    this.groups = groups;
    this.buttons = groups.map((group) => button(() => open(group)));
    this.said = h("p", { class: "va-quiet", role: "status" });
    this.root = h("div", { hidden: !groups.length }, h("div", { class: "vm-controls",
      role: "group" }, ...this.buttons), this.said);
  }

  /** Take a language and the names of the networks on show. */
  speak(spoken, names) {
    const shown = this.groups.find(({ networks }) => networks.join() === names.join());
    this.groups.forEach((group, index) => {
      this.buttons[index].textContent = spoken(group.title);
      this.buttons[index].setAttribute("aria-pressed", String(group === shown));
    });
    this.said.textContent = shown ? spoken(shown.said) : "";
  }
}
