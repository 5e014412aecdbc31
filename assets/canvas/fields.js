// The fields of the instrument's controls: menus, choices of a few, buttons.

import { h } from "./dom.js";

/** A menu with its label; `chosen(value)` hears of each choice. */
export function menu(name, chosen) {
  const label = h("span");
  const select = h("select", { "data-name": name, onchange: () => chosen(select.value) });
  return { label, select, root: h("label", { class: `va-field va-menu-${name}` }, label, select) };
}

/** A few values side by side, one of which is pressed. */
export function choice(name, values, chosen) {
  const label = h("span");
  const buttons = values.map((value) => h("button",
    { type: "button", "data-value": value, onclick: () => chosen(value) }));
  return { label, buttons, root: h("div", { class: "va-choice", role: "group", "data-name": name },
    label, h("span", { class: "va-segments" }, ...buttons)) };
}

export function button(pressed) {
  return h("button", { type: "button", class: "va-button", onclick: pressed });
}

/** Fill a menu with [value, label] entries, unless it has them already. */
export function options(select, entries) {
  const wanted = JSON.stringify(entries);
  if (select.dataset.entries === wanted) return;
  select.dataset.entries = wanted;
  select.replaceChildren(...entries.map(([value, label]) => h("option", { value }, label)));
}

/** Show which of a choice's buttons is pressed. */
export function press(buttons, value) {
  for (const one of buttons) {
    one.setAttribute("aria-pressed", String(one.dataset.value === value));
  }
}
