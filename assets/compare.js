// The tab "Compare": several networks on one picture, one pointer driving them all.

import { palette } from "./canvas/colours.js";
import { debounced, h } from "./canvas/dom.js";
import { button, choice, options, press } from "./canvas/fields.js";
import { speaker } from "./canvas/format.js";
import { moved } from "./canvas/grids.js";
import { Pane } from "./compare/pane.js";
import { Together } from "./compare/together.js";

const MOST = 6;
const FIRST = 4;
const TOLD = 150;
const LOST = 90000;
const ENDINGS = { figure: "png", facts: "json", script: "py" };
/** What a pane has besides its network, as the address calls it. */
const CHOSEN = { sites: "site", tokens: "token", faces: "face" };

class Compare {
  constructor(element, options_) {
    this.options = options_;
    this.language = options_.language;
    // Read at once: other tabs write the address while this one is behind them.
    this.arrival = new URLSearchParams(window.location.search);
    this.addressNames = ["tab", "nets", "sites", "tokens", "faces", "colours"];
    this.panes = [];
    this.turn = 0;
    this.wanted = [];
    this.picture = null;
    this.state = { pin: null, asked: null, pointer: null, scale: "shared", classes: false };
    this.palettes = Object.fromEntries(Object.entries(options_.colormaps)
      .map(([name, text]) => [name, palette(text)]));
    this.build();
    element.replaceChildren(this.root);
    this.tell = debounced(() => window.vizattn?.keepAddress(), TOLD);
    this.setLanguage(this.language);
    this.resizing = new ResizeObserver(() => {
      if (!this.begun && this.shown()) this.begin();
      this.draw();
    });
    this.resizing.observe(this.root);
    new MutationObserver(() => this.draw())
      .observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  build() {
    this.lead = h("p", {});
    this.examples = this.options.offer.examples.map((example) => h("button", { type: "button",
      class: "vm-example", "data-value": example.id, onclick: () => this.openExample(example) },
      h("img", { src: example.thumbnail, alt: "" })));
    this.file = h("input", { type: "file", accept: "image/*", class: "va-hidden", tabindex: "-1",
      "aria-hidden": "true", onchange: () => this.send(this.file.files[0]) });
    this.own = button(() => this.file.click());
    this.addLabel = h("span");
    this.add = h("select", { onchange: () => this.addNetwork(this.add.value) });
    this.scale = choice("scale", ["shared", "row"], (scale) => this.set({ scale }));
    this.classes = button(() => this.set({ classes: !this.state.classes }));
    this.saves = Object.keys(ENDINGS).map((what) => {
      const one = button(() => this.save(what));
      one.dataset.value = what;
      return one;
    });
    this.together = new Together(this.options.offer.together, (group) => this.openGroup(group));
    this.grid = h("div", { class: "vm-grid" });
    this.said = h("p", { class: "va-quiet", role: "status" });
    this.root = h("div", { class: "va vm" });
    this.parts = [this.lead, h("div", { class: "vm-controls" },
      h("div", { class: "vm-examples", role: "group" }, ...this.examples), this.own, this.file),
    h("div", { class: "vm-controls" },
      h("label", { class: "va-field" }, this.addLabel, this.add), this.scale.root, this.classes,
      h("div", { class: "vm-saves", role: "group" }, ...this.saves)), this.together.root, this.said,
    this.grid];
  }

  // The address, and beginning.

  shown() {
    return this.root.checkVisibility() && this.root.clientWidth > 0;
  }

  begin() {
    this.begun = true;
    this.root.append(...this.parts);
    const { offer } = this.options;
    const linked = this.arrival.get("tab") === "compare";
    const own = linked ? this.arrival : new URLSearchParams();
    const example = offer.examples.find(({ id }) => id === own.get("example")) ?? offer.examples[0];
    const known = new Map(offer.networks.map((network) => [network.name, network]));
    const chosen = chosenOf(own);
    const named = (own.get("nets") ?? "").split(",")
      .map((name, index) => ({ network: known.get(name), wanted: chosen(index) }))
      .filter(({ network }) => network);
    const { task } = known.get(example.network) ?? offer.networks[0];
    const usual = offer.networks.filter((network) => network.task === task).slice(0, FIRST);
    const place = own.get("at")?.split(",").map(Number);
    this.picture = { example: example.id };
    const at = place?.length === 2 && place.every(Number.isFinite) ? place : example.at;
    const scale = own.get("colours") === "row" ? "row" : "shared";
    this.state = { ...this.state, pin: at, asked: at, scale };
    for (const { network, wanted } of (named.length ? named
      : usual.map((network) => ({ network }))).slice(0, MOST)) {
      this.addPane(network).wanted = wanted ?? chosen(-1);
    }
    this.refresh();
  }

  keepAddress() {
    if (!this.begun) return;
    const url = new URL(window.location.href);
    for (const name of [...url.searchParams.keys()]) {
      if (name !== "lang") url.searchParams.delete(name);
    }
    url.searchParams.set("tab", "compare");
    if (this.picture?.example) url.searchParams.set("example", this.picture.example);
    url.searchParams.set("nets", this.panes.map(({ network }) => network.name).join(","));
    if (this.state.pin) {
      url.searchParams.set("at", this.state.pin.map((v) => Math.round(v * 10) / 10).join(","));
    }
    for (const [name, part] of Object.entries(CHOSEN)) {
      const parts = this.panes.map(({ wanted }) => wanted[part] ?? "");
      if (parts.some((one) => one !== "")) url.searchParams.set(name, parts.join(","));
    }
    if (this.state.scale === "row") url.searchParams.set("colours", "row");
    url.search = decodeURIComponent(url.search);
    history.replaceState(history.state, "", url);
  }

  // Pictures and networks.

  openExample(example) {
    this.picture = { example: example.id };
    this.state = { ...this.state, pin: example.at, asked: example.at, pointer: null };
    this.refresh();
  }

  async send(file) {
    this.file.value = "";
    if (!file) return;
    if (file.size > this.options.offer.limit * 1024 * 1024) {
      this.said.textContent = this.say("too_heavy", { limit: this.options.offer.limit });
      return;
    }
    try {
      const { path } = await this.options.upload(file);
      this.picture = { path };
      this.state = { ...this.state, pin: null, asked: null, pointer: null };
      this.refresh();
    } catch {
      this.said.textContent = this.say("failed");
    }
  }

  addNetwork(name) {
    const network = this.options.offer.networks.find((one) => one.name === name);
    this.add.value = "";
    if (!network || this.panes.length >= MOST) return;
    const pane = this.addPane(network);
    this.ask(pane);
    this.fill();
  }

  /** Show the networks of a group in the place of what is on show. */
  openGroup({ networks, site }) {
    this.panes = [];
    for (const name of networks) {
      const network = this.options.offer.networks.find((one) => one.name === name);
      this.addPane(network).wanted = { site, token: null, face: null };
    }
    this.refresh();
  }

  addPane(network) {
    const pane = new Pane(network, {
      point: (place) => place && this.set({ pointer: place,
        ...(this.state.pin ? {} : { asked: place }) }),
      leave: () => this.set({ pointer: null }),
      choose: (place) => place && this.pin(place),
      move: (columns, rows) => this.move(pane, columns, rows),
      toggle: () => this.state.asked && this.pin(this.state.pointer ?? this.state.asked),
      unpin: () => this.set({ pin: null }),
      remove: () => this.drop(pane),
      changed: () => {
        this.draw();
        this.tell();
      },
    });
    pane.label(this.say, this.spoken);
    this.panes.push(pane);
    return pane;
  }

  drop(pane) {
    this.panes = this.panes.filter((one) => one !== pane);
    this.wanted = this.wanted.filter((one) => one !== pane);
    this.fill();
    this.add.focus();
  }

  /** Another picture for all. */
  refresh() {
    this.wanted = [];
    this.flying = null;
    this.said.textContent = "";
    for (const pane of this.panes) this.ask(pane);
    this.fill();
  }

  fill() {
    this.grid.replaceChildren(...this.panes.map((pane) => pane.root));
    this.setLanguage(this.language);
    this.draw();
    this.tell();
  }

  // One question at a time.

  ask(pane) {
    pane.wait(this.say("busy", { network: this.spoken(pane.network.title) }));
    this.wanted.push(pane);
    this.pump();
  }

  pump() {
    const waiting = this.flying && performance.now() - this.flying.since < LOST;
    if (waiting || !this.wanted.length) return;
    const pane = this.wanted.shift();
    this.turn += 1;
    this.flying = { pane, turn: this.turn, since: performance.now() };
    this.options.send({ kind: "look", turn: this.turn, network: pane.network.name,
      ...this.picture });
  }

  async receive(message) {
    const { flying } = this;
    if (!flying || message.turn !== flying.turn) return;
    const read = flying.save ? "blob" : "json";
    const found = message.ok ? await fetched(message.file, read).catch(() => null) : null;
    if (this.flying !== flying) return;
    this.flying = null;
    if (flying.save) this.download(flying.save, found);
    else this.take(flying.pane, message, found);
    this.pump();
  }

  take(pane, message, found) {
    pane.wait(found ? null : this.say("failed"));
    if (!found) return;
    // What was sent once is found again by the name of any look at it.
    if (!this.picture.example) this.picture = { own: message.own };
    pane.open(found, this.language);
    // Those that still wait have the same picture before them: they keep its room.
    const { width, height } = found.picture;
    this.grid.style.setProperty("--vm-aspect", `${width} / ${height}`);
    this.setLanguage(this.language);
    this.draw();
  }

  failed() {
    const { flying } = this;
    this.flying = null;
    flying?.pane?.wait(this.say("failed"));
    this.pump();
  }

  save(what) {
    const open = this.panes.filter((pane) => pane.payload);
    if (!open.length || this.flying) return;
    this.turn += 1;
    this.flying = { save: what, turn: this.turn, since: performance.now() };
    this.said.textContent = this.say("saving");
    this.options.send({ kind: "save", what, turn: this.turn, scale: this.state.scale,
      example: this.picture.example, at: this.state.pin ?? this.state.asked,
      panes: open.map((pane) => ({ analysis: pane.payload.id, site: pane.path,
        token: pane.wanted.token, face: pane.wanted.face })) });
  }

  download(what, blob) {
    this.said.textContent = blob ? "" : this.say("failed");
    if (!blob) return;
    const link = h("a", { href: URL.createObjectURL(blob), download: `comparison.${ENDINGS[what]}` });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // The state, and drawing.

  set(part) {
    this.state = { ...this.state, ...part };
    this.draw();
    if ("pin" in part || "scale" in part) this.tell();
  }

  pin(place) {
    const { pin } = this.state;
    const same = pin && Math.hypot(pin[0] - place[0], pin[1] - place[1]) < 1;
    this.set({ pin: same ? null : place, asked: place, pointer: place });
  }

  move(pane, columns, rows) {
    const grid = pane.site?.pointerGrid;
    if (!grid) return;
    const { framing, picture } = pane.payload;
    const from = this.state.pointer ?? this.state.pin ?? this.state.asked
      ?? [picture.width / 2, picture.height / 2];
    const place = moved(framing, grid, picture, from, columns, rows);
    this.set({ pointer: place, ...(this.state.pin ? {} : { asked: place }) });
  }

  setLanguage(language) {
    this.language = language;
    this.say = speaker(this.options.texts[language]);
    this.spoken = (words) => words?.[language] ?? "";
    const { say, spoken } = this;
    this.lead.textContent = say("lead");
    this.own.textContent = say("own");
    this.addLabel.textContent = say("add");
    for (const one of this.saves) one.textContent = say(`save_${one.dataset.value}`);
    this.classes.textContent = say("control.classes");
    this.scale.label.textContent = say("control.scale");
    for (const one of this.scale.buttons) one.textContent = say(`scale_${one.dataset.value}`);
    this.options.offer.examples.forEach((example, index) => {
      this.examples[index].setAttribute("aria-label", spoken(example.title));
      this.examples[index].title = spoken(example.title);
    });
    const names = this.panes.map(({ network }) => network.name);
    this.together.speak(spoken, names);
    const used = new Set(names);
    options(this.add, [["", say("choose", { count: MOST })],
      ...this.options.offer.networks.filter(({ name }) => !used.has(name))
        .map(({ name, title, metric }) => [
          name, [spoken(title), spoken(metric)].filter(Boolean).join(" · ")])]);
    this.add.disabled = this.panes.length >= MOST;
    for (const pane of this.panes) {
      pane.label(say, spoken);
      pane.speak(language);
    }
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      press(this.scale.buttons, this.state.scale);
      this.classes.setAttribute("aria-pressed", String(this.state.classes));
      for (const one of this.examples) {
        one.setAttribute("aria-pressed", String(one.dataset.value === this.picture?.example));
      }
      if (!this.begun) return;
      const { scale } = this.state;
      // The same number has the same colour everywhere: the largest on show ends the scale.
      const peaks = this.panes.map((pane) => pane.peak(this.state)).filter(Number.isFinite);
      const top = scale === "shared" && peaks.length ? Math.max(...peaks) : null;
      for (const pane of this.panes) pane.draw(this.state, top, this.palettes, this.say);
    });
  }
}

/** A file of the server, read as "json" or as "blob". */
async function fetched(file, read) {
  const answer = await fetch(file.url);
  if (!answer.ok) throw new Error(`${answer.status} for ${file.url}`);
  return answer[read]();
}

/** What an address chose for the panes, by their number: site, token and face. */
function chosenOf(address) {
  const lists = Object.entries(CHOSEN)
    .map(([name, part]) => [part, (address.get(name) ?? "").split(",")]);
  return (index) => {
    const { site, token, face } = Object.fromEntries(lists
      .map(([part, list]) => [part, list[index] || null]));
    return { site, token: /^\d+$/.test(token ?? "") ? +token : null, face };
  };
}

/** Mount the tab: options {texts, language, colormaps, offer, send(question), upload(file)}. */
export function mount(element, options_) {
  return new Compare(element, options_);
}
