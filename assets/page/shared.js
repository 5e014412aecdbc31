// What the parts of the page share: building elements, the instrument's state, theme and address.

window.vizattn = (() => {
  /** Build an element: attributes by name, "on..." as listeners, null and false left out. */
  function h(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  /** A drawn sign of 16 x 16, in the colour of the text around it. */
  function icon(path) {
    const holder = document.createElement("span");
    holder.className = "vp-icon";
    holder.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true" fill="none"
      stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">
      <path d="${path}"/></svg>`;
    return holder;
  }

  function instrument() {
    return document.querySelector(".va-mount")?.parentElement?.vizattn;
  }

  /** What is selected: the pinned place, else the one that was last asked. */
  function selection() {
    const state = instrument()?.state;
    if (!state) return {};
    const { site, head, channel, token, face, colormap, scale, smooth, opacity } = state;
    const at = state.pin ?? state.asked ?? null;
    return { site, head, at, channel, token, face, colormap, scale, smooth, opacity };
  }

  /** Say what is being waited for, unless the answer comes before one would notice. */
  const PATIENCE = 90000;
  let waiting = 0;
  function busy(words, after = 250) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      instrument()?.setBusy(words);
      // An answer that never comes must not leave the page waiting for ever.
      if (words) waiting = setTimeout(() => instrument()?.setBusy(null), PATIENCE);
    }, words ? after : 0);
  }

  // One question at a time: what is asked while another is answered waits, and only the last of it
  // counts. (Gradio's own "always_last" sends the data of an earlier click again.)

  const LOST = 20000;
  let asked = 0;
  let next = null;
  function ask(words, send) {
    if (asked && performance.now() - asked < LOST) {
      next = () => ask(words, send);
      return;
    }
    asked = performance.now();
    busy(words);
    send();
  }

  function answered() {
    clearTimeout(waiting);
    asked = 0;
    const again = next;
    next = null;
    again?.();
  }

  /** A question got no answer: end the waiting, and let the parts show what is true again. */
  function failed() {
    document.dispatchEvent(new CustomEvent("vizattn:failed"));
    instrument()?.setBusy(null);
    answered();
  }

  // Gradio's messages come with a button whose name is English; `words` are the page's own.

  let closing = null;
  function nameClose(words) {
    closing?.disconnect();
    const name = () => document.querySelectorAll(".toast-close")
      .forEach((button) => button.setAttribute("aria-label", words));
    closing = new MutationObserver(name);
    const messages = document.querySelector(".toast-wrap") ?? document.body;
    closing.observe(messages, { childList: true, subtree: true });
    name();
  }

  // The address bar names what is on show, so that it can be sent to somebody.

  let place = {};
  const foreign = new Set();
  function address() {
    const { site, head, at, channel, token, face, colormap } = selection();
    const url = new URL(window.location.href);
    const own = !place.example;
    const known = {
      example: place.example,
      network: place.network,
      site: own ? null : site,
      head: own || !head ? null : head,
      at: own || !at ? null : at.map((value) => Math.round(value * 10) / 10).join(","),
      channel: own ? null : channel,
      token: own ? null : token,
      face: own ? null : face,
      colormap: colormap === "viridis" ? null : colormap,
      lang: place.language,
    };
    for (const name of foreign) url.searchParams.delete(name);
    for (const [name, value] of Object.entries(known)) {
      if (value === null || value === undefined) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    url.search = decodeURIComponent(url.search);
    return url;
  }

  // Other tabs, each with shown(), keepAddress() and addressNames (the parts of the address that
  // are theirs alone), keep the address while they are on show.

  const tabs = [];
  function addTab(tab) {
    tabs.push(tab);
    tab.addressNames.forEach((name) => foreign.add(name));
    keepAddress();
  }

  function keepAddress() {
    const open = tabs.find((tab) => tab.shown());
    if (open) open.keepAddress();
    else if (place.network && instrument()?.state && instrument().desk.root.checkVisibility()) {
      history.replaceState(history.state, "", address());
    }
  }

  /** Name the open picture and network in the address, once the instrument shows them. */
  function arrived(part, patience = 60) {
    place = part;
    if (instrument()?.payload?.id === part.analysis) keepAddress();
    else if (patience) setTimeout(() => place === part && arrived(part, patience - 1), 50);
  }

  // Light or dark: as the system has it, until somebody chooses.

  function dark() {
    return document.body.classList.contains("dark");
  }

  function setDark(on) {
    document.body.classList.toggle("dark", on);
    try {
      localStorage.setItem("vizattn-theme", on ? "dark" : "light");
    } catch { /* a browser that keeps nothing forgets this too */ }
  }

  function rememberTheme() {
    try {
      const kept = localStorage.getItem("vizattn-theme");
      if (kept) document.body.classList.toggle("dark", kept === "dark");
    } catch { /* the system decides */ }
  }

  return { h, icon, instrument, selection, busy, ask, answered, failed, nameClose, address,
    keepAddress, addTab, arrived, dark, setDark, rememberTheme };
})();
