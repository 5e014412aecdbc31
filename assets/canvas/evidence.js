// How it is known where a stranger's cells are, and a form for a grid set by hand.

import { h } from "./dom.js";

const MOST = 1000;

/** What the facts say of a site's places; nothing where the network itself says where they are. */
export function evidenceOf(site, say) {
  const { evidence } = site;
  if (!evidence) return [];
  const said = h("p", { class: evidence.weak ? "va-weak" : "va-quiet" },
    evidence.weak ? h("strong", {}, `${say("evidence.weak")}: `) : null, evidence.said);
  if (!evidence.tokens) return [said];
  const form = gridForm({ sites: [site.path], ...evidence }, say);
  return [said, h("details", { class: "va-by-hand", open: evidence.weak || evidence.by_hand },
    h("summary", {}, say("evidence.title")), form)];
}

/**
 * A form that asks for rows and columns; what is set is told as the event "vizattn:grid".
 * known: {sites, rows, columns, tokens, by_hand}, all but the sites only where they are known.
 */
export function gridForm({ sites, rows, columns, tokens, by_hand: byHand }, say) {
  const field = (name, value) => h("input", { type: "number", min: "1", max: String(MOST),
    required: true, inputmode: "numeric", value: value ?? null, "data-grid": name });
  const down = field("rows", rows);
  const across = field("columns", columns);
  const sum = h("p", { class: "va-quiet", role: "status" });
  const set = h("button", { type: "submit", class: "va-button" }, say("evidence.set"));
  const label = (name, input) => h("label", { class: "va-field" },
    h("span", {}, say(`evidence.${name}`)), input);
  const tell = (grid) => form.dispatchEvent(
    new CustomEvent("vizattn:grid", { bubbles: true, detail: { sites, ...grid } }));
  const form = h("form", { class: "va-grid-form", novalidate: true, oninput: () => check(),
    onsubmit: (event) => {
      event.preventDefault();
      if (!set.disabled) tell({ rows: +down.value, columns: +across.value });
    } },
  label("rows", down), h("span", { "aria-hidden": "true" }, "×"), label("columns", across), set,
  byHand ? h("button", { type: "button", class: "va-button",
    onclick: () => tell({ rows: null, columns: null }) }, say("evidence.back")) : null, sum);

  function check() {
    const cells = +down.value * +across.value;
    const whole = [down, across].every((one) => one.value && one.checkValidity());
    set.disabled = !whole || cells > (tokens ?? Infinity);
    sum.textContent = !whole ? "" : words(cells);
  }

  function words(cells) {
    if (!tokens) return say("evidence.cells", { cells });
    return cells > tokens ? say("evidence.too_many", { cells, tokens })
      : say("evidence.sum", { cells, tokens, extra: tokens - cells });
  }

  check();
  return form;
}
