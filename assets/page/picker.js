// The picker of a network: a button that names the chosen one, and a searchable list behind it.

/**
 * Build the picker.
 *
 * groups: [{title, stage, networks: [{name, title, year, line, metric, plain, task, goals, here}]}]
 * chosen: name of the network on show. task: whose networks are listed until somebody types.
 * tasks: what they are called, by name. words: the picker's texts. choose: told a network's name.
 */
window.vizattn.picker = ({ groups, chosen, task, tasks, words, choose }) => {
  const { h } = window.vizattn;
  const LEAST = 240;
  const every = groups.flatMap((group) => group.networks);
  const current = every.find((one) => one.name === chosen);
  const search = h("input", { type: "search", class: "vp-search", role: "combobox",
    placeholder: words.search, "aria-label": words.search, "aria-expanded": "true",
    "aria-controls": "vp-networks", autocomplete: "off", spellcheck: "false" });
  const list = h("div", { class: "vp-networks", role: "listbox", id: "vp-networks",
    "aria-label": words.network });
  const panel = h("div", { class: "vp-panel", hidden: true }, search, list);
  const button = h("button", { type: "button", class: "vp-pick", "aria-haspopup": "listbox",
    "aria-expanded": "false", "aria-label": `${words.network}: ${current?.title ?? words.choose}`,
    "data-network": chosen, onclick: () => (panel.hidden ? open() : close()) },
  h("span", {}, current?.title ?? words.choose), h("small", {}, current?.year ?? ""));
  const root = h("div", { class: "vp-picker" }, button, panel);
  let marked = null;

  /** Whether a text has a word that was typed; "II:" is a whole word and no part of "VII:". */
  function holds(text, word) {
    return word.endsWith(":") ? text.split(/\s+/).includes(word) : text.includes(word);
  }

  /** The networks of the task, or of any task whose words hold every word that was typed. */
  function found() {
    const typed = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (group) => (one) => {
      const text = [one.title, one.name, one.year, one.line, one.plain, tasks[one.task],
        ...one.goals, group.title, group.stage].join(" ").toLowerCase();
      return typed.length ? typed.every((word) => holds(text, word)) : one.task === task;
    };
    return groups.map((group) => ({ ...group, networks: group.networks.filter(fits(group)) }))
      .filter((group) => group.networks.length);
  }

  function fill() {
    const shown = found();
    list.replaceChildren(...shown.map((group, index) => h("div", { role: "group",
      "aria-labelledby": `vp-group-${index}` },
    h("h3", { id: `vp-group-${index}` }, group.title, group.stage
      ? h("small", {}, group.stage) : null),
    group.networks.map(option))));
    if (!shown.length) list.append(h("p", { class: "vp-none" }, words.no_match));
    const options = [...list.querySelectorAll(".vp-option")];
    mark(options.find((one) => one.dataset.network === chosen) ?? options[0] ?? null);
  }

  function option(one) {
    return h("div", { class: "vp-option", role: "option", id: `vp-option-${one.name}`,
      "data-network": one.name, "aria-selected": String(one.name === chosen),
      onclick: () => pick(one.name), onpointermove: (event) => mark(event.currentTarget, false) },
    h("span", { class: "vp-option-title" }, one.title), h("small", {}, one.year),
    h("span", { class: "vp-option-line" }, one.line),
    h("small", { class: "vp-option-line" }, [one.task === task ? null : tasks[one.task],
      one.metric, one.plain].filter(Boolean).join(" · ")),
    one.goals.length ? h("small", { class: "vp-option-line" }, one.goals.join(" · ")) : null);
  }

  function mark(node, scroll = true) {
    marked?.classList.remove("vp-marked");
    marked = node;
    marked?.classList.add("vp-marked");
    if (marked) search.setAttribute("aria-activedescendant", marked.id);
    else search.removeAttribute("aria-activedescendant");
    if (scroll && marked) reveal();
  }

  /** Scroll the list, and nothing around it, until the marked option is in sight. */
  function reveal() {
    const box = list.getBoundingClientRect();
    const own = marked.getBoundingClientRect();
    // The group's title stays at the top, over what is scrolled.
    const title = marked.parentElement.querySelector("h3").offsetHeight;
    if (own.bottom > box.bottom) list.scrollTop += own.bottom - box.bottom + 8;
    else if (own.top < box.top + title) list.scrollTop -= box.top + title - own.top;
  }

  /** Let the list be as tall as the window allows; where that is too little, the page moves. */
  function fit() {
    const room = () => window.innerHeight - list.getBoundingClientRect().top - 16;
    if (room() < LEAST) root.scrollIntoView({ block: "start" });
    list.style.maxHeight = `${Math.max(room(), LEAST)}px`;
  }

  function move(by) {
    const options = [...list.querySelectorAll(".vp-option")];
    if (!options.length) return;
    const index = options.indexOf(marked) + by;
    mark(options[Math.min(Math.max(index, 0), options.length - 1)]);
  }

  function pick(name) {
    close();
    if (name !== chosen) choose(name);
  }

  function open() {
    panel.hidden = false;
    button.setAttribute("aria-expanded", "true");
    search.value = "";
    fit();
    fill();
    search.focus({ preventScroll: true });
    document.addEventListener("pointerdown", outside);
  }

  function close(focus = true) {
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
    if (focus) button.focus();
  }

  function outside(event) {
    if (!root.contains(event.target)) close(false);
  }

  const KEYS = {
    ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(6),
    PageUp: () => move(-6), Escape: () => close(),
    Enter: () => marked && pick(marked.dataset.network),
  };
  search.addEventListener("input", fill);
  panel.addEventListener("keydown", (event) => {
    // What is typed here is not for the instrument, which listens to the whole page.
    event.stopPropagation();
    const act = event.isComposing ? null : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  return { root, open };
};
