// The crowd tab: a pair of pictures, how many people are in it, and which sense was trusted where.

import { debounced } from "./canvas/dom.js";
import { speaker } from "./canvas/format.js";
import { OWN, addressOf, readAddress } from "./crowd/address.js";
import { Desk } from "./crowd/desk.js";
import { Inquiry } from "./crowd/inquiry.js";
import { Pointing } from "./crowd/pointing.js";
import { Scene } from "./crowd/scene.js";
import {
  SENSES, STAGES, asking, firstState, leavesAll, normal, queried, unchanged,
} from "./crowd/state.js";

const TOLD = 150;
const TYPING = "input:not([type=range]), textarea, select, [contenteditable]";

class Crowd {
  constructor(element, options) {
    this.options = options;
    this.language = options.language;
    this.state = firstState();
    this.scene = null;
    this.baseline = null;
    this.pictures = {};
    this.spoken = (words) => words?.[this.language] ?? "";
    this.desk = new Desk(this.acts(), options.colormaps, options.offer);
    this.inquiry = new Inquiry(options, this.answers(), (words) => this.desk.setBusy(words));
    this.pointing = new Pointing(this);
    element.replaceChildren(this.desk.root);
    this.tell = debounced(() => this.keepAddress(), TOLD);
    this.setLanguage(this.language);
    this.watch();
  }

  /** Sizes, the theme, the keys, and the first time that the tab is seen. */
  watch() {
    this.resizing = new ResizeObserver(() => {
      if (!this.begun && this.shown()) this.begin();
      this.draw();
    });
    for (const one of [this.desk.root, ...this.desk.sized]) this.resizing.observe(one);
    this.themed = new MutationObserver(() => this.draw());
    this.themed.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    document.addEventListener("keydown", (event) => this.key(event));
    const files = (event, list, target) => {
      if (!this.shown() || !list?.length) return;
      event.preventDefault();
      this.desk.choices.takeDropped([...list], target);
    };
    document.addEventListener("dragover", (event) => this.shown() && event.preventDefault());
    document.addEventListener("drop", (event) => files(event, event.dataTransfer?.files, event.target));
    document.addEventListener("paste", (event) => files(event, event.clipboardData?.files));
  }

  acts() {
    return {
      panes: {
        point: (sense, place) => this.pointing.point(sense, place),
        leave: () => this.set({ pointer: null }),
        choose: (sense, place) => this.pointing.choose(sense, place),
        move: (sense, columns, rows) => this.pointing.move(sense, columns, rows),
        toggle: (sense) => this.pointing.toggle(sense),
        unpin: () => this.pointing.release(),
        drawing: () => this.pointing.pen.on,
        pen: (sense, step, place) => this.pointing.penned(step, place),
        problem: () => this.problem("problem.picture"),
      },
      controls: {
        change: (part) => this.set(part, true),
        draw: () => this.pointing.pressRegion(),
        align: () => this.align(),
        reset: () => this.reset(),
        projector: () => this.setProjector(!this.desk.projecting),
      },
      laboratory: {
        change: (changes) => this.alter(changes),
        sweep: (list) => this.inquiry.sweep(list),
      },
      alignment: {
        apply: (registration) => this.register(registration),
        close: () => this.closeAlignment(),
        suggest: () => this.inquiry.suggest(this.say("busy.suggest")),
      },
      results: {
        swap: () => this.swap(),
        align: () => this.align(true),
        measure: () => this.inquiry.cost(this.scene, this.say("busy.cost")),
        stage: (stage) => this.set({ layer: "gate", stage }, true),
      },
      choices: {
        send: (files) => this.send(files),
        remove: (sense) => this.openOwn({ [sense]: null }),
        swap: () => this.swap(),
        example: (id) => this.open({ example: id }),
        network: (name) => this.inquiry.again(this.say("busy.count"), { network: name }),
        save: (what) => this.scene
          && this.inquiry.save(this.scene, what, this.state, this.say("busy.save")),
        copyLink: () => navigator.clipboard.writeText(String(this.address())),
      },
    };
  }

  answers() {
    return {
      scene: (payload, fresh) => this.take(payload, fresh),
      rows: (scene, stage, buffer) => {
        scene.takeFactors(stage, buffer);
        this.draw();
      },
      point: (changes, answer) => {
        this.desk.laboratory.measured(changes, answer.count, answer.trusts);
        this.showLaboratory();
      },
      cost: (rows) => this.desk.results.cost.show(rows),
      suggested: (answer) => this.desk.alignment.suggested(answer),
      refused: () => this.refused(),
      file: (file) => download(file),
      busy: (words) => this.desk.setBusy(words, 0),
    };
  }

  // The public side.

  /** Take a message of the server. */
  receive(message) {
    this.inquiry.courier.take(message).catch(() => {
      this.problem("problem.payload");
    });
  }

  /** Put everything into another language. */
  setLanguage(language) {
    this.language = language;
    this.say = speaker(this.options.texts[language]);
    this.desk.label(this.say, this.spoken);
    if (this.scene) this.fill();
    this.tell();
  }

  /** Whether the tab is on the screen. */
  shown() {
    return this.desk.root.checkVisibility() && this.desk.root.clientWidth > 0;
  }

  setProjector(on) {
    this.desk.setProjector(on);
    this.options.onProjector?.(on);
    this.draw();
  }

  /** The row on show over tokens, as a plain array. */
  row() {
    const place = queried(this.state);
    const found = place && this.scene?.row(this.state.stage, asking(this.state, place), place.at);
    return found ? Array.from(found.row) : [];
  }

  address() {
    const { pair } = this.inquiry;
    return addressOf({ pair: pair?.example ?? null, network: this.inquiry.network,
      state: this.state, registration: this.registered(), language: this.language });
  }

  get addressNames() {
    return OWN;
  }

  keepAddress() {
    if (this.scene && this.shown()) history.replaceState(history.state, "", this.address());
  }

  // What is open.

  /** Open what the address names, or the first example. */
  begin() {
    this.begun = true;
    const { pair, network, state, wrong } = readAddress(window.location.search);
    if (wrong) this.problem("bad_link", { reason: wrong });
    const { networks, examples } = this.options.offer;
    if (network && networks.some((one) => one.name === network)) this.inquiry.network = network;
    else if (network) this.problem("bad_link", { reason: network });
    const known = !pair || examples.some((one) => one.id === pair);
    if (!known) this.problem("bad_link", { reason: pair });
    const { registration, ...linked } = known ? state : {};
    this.linked = linked;
    const example = known && pair ? pair : examples[0]?.id;
    if (example) this.open({ example, registration });
  }

  open(pair) {
    this.inquiry.open(pair, this.say("busy.open"));
  }

  /** Open a visitor's own pair with some of its pictures replaced: a path, or null for none. */
  openOwn(part) {
    const { pair } = this.inquiry;
    this.open({ own: pair?.id ?? null, ...part });
  }

  async send(files) {
    const sent = await this.inquiry.send(files, this.say("busy.upload"));
    if (sent) this.openOwn(sent);
    else this.problem("offline");
  }

  swap() {
    if (!this.scene) return;
    const { pair } = this.inquiry;
    this.open({ own: pair.id ?? null, example: pair.id ? null : pair.example, swap: true });
  }

  /** Take an analysis; `fresh` ones are of another pair, network or registration, unchanged. */
  take(payload, fresh) {
    const another = Boolean(payload.pictures);
    this.scene = new Scene(payload);
    if (another) this.renew(payload);
    if (fresh) {
      this.baseline = this.scene;
      this.desk.laboratory.renew(this.scene);
      this.desk.results.cost.show(null);
    }
    this.desk.laboratory.measured(payload.changes, this.scene.count, trustsOf(payload));
    if (fresh) this.stayPossible();
    this.fill();
    if (fresh && !leavesAll(this.state.changes)) this.ask();
    this.tell();
  }

  /** Another pair: how it is looked at stays, places and changes go. */
  renew(payload) {
    this.pictures = payload.pictures;
    this.pointing.pen.stop();
    this.closeAlignment();
    Object.assign(this.state, { pin: null, asked: null, pointer: null, region: null, drawing: null,
      changes: unchanged() }, this.linked ?? {});
    if (this.state.pin) this.state.asked = this.state.pin;
    this.linked = null;
  }

  /** Leave what this pair and network cannot show. */
  stayPossible() {
    const { state, scene } = this;
    if (!scene.sites.size && !scene.gates.size && ["row", "gate"].includes(state.layer)) {
      state.layer = "density";
    }
    if (scene.gates.size && !scene.gates.has(state.stage)) [state.stage] = scene.gates.keys();
    if (!scene.senses.includes(state.view)) state.view = "both";
    this.stages = new Set(scene.gates.keys());
  }

  fill() {
    const { scene, pictures, state, say, spoken } = this;
    const { pair } = this.inquiry;
    const lead = spoken(scene.payload.lead) || say("lead");
    this.desk.fill({ scene, pictures, state, say, spoken, lead });
    const names = Object.fromEntries(SENSES.map((sense) => [sense, pictures[sense]?.name ?? null]));
    this.desk.choices.show({ pair: pair.example ?? null, network: this.inquiry.network,
      own: Boolean(pair.id), names });
    this.showLaboratory();
    this.desk.results.showRegion(scene, state.region);
    this.needRows();
    this.draw();
  }

  refused() {
    if (!this.scene) return;
    // What was asked for did not come: the sliders go back to what is on show.
    this.state.changes = normal(this.scene.payload.changes);
    this.desk.choices.draw();
    this.fill();
  }

  // The laboratory and the registration.

  alter(changes) {
    this.state.changes = changes;
    this.desk.panes.fill(this.scene, this.pictures, this.state, this.say);
    this.showLaboratory();
    this.ask();
    this.tell();
  }

  ask() {
    this.inquiry.change(() => this.state, this.say("busy.count"));
  }

  showLaboratory() {
    this.desk.laboratory.show(this.state, this.scene, this.baseline, this.stages);
  }

  align(suggest = false) {
    if (!this.desk.alignment.root.hidden && !suggest) return this.closeAlignment();
    this.desk.look.hidden = true;
    this.desk.alignment.open(this.scene, this.pictures);
    this.draw();
    if (suggest) this.inquiry.suggest(this.say("busy.suggest"));
    return undefined;
  }

  closeAlignment() {
    this.desk.alignment.close();
    this.desk.look.hidden = false;
    this.draw();
  }

  register(registration) {
    this.closeAlignment();
    this.inquiry.again(this.say("busy.count"), { registration });
  }

  /** The registration for the address: none while it is the pair's own. */
  registered() {
    const { registration, own_registration: own } = this.scene.payload;
    return JSON.stringify(registration) === JSON.stringify(own) ? null : registration;
  }

  // Changes of the state, and drawing.

  set(part, tell = false) {
    if (!this.scene) return;
    if (Object.keys(part).every((name) => this.state[name] === part[name])) return;
    Object.assign(this.state, part);
    if ("view" in part) this.desk.panes.show(this.state);
    if ("layer" in part || "stage" in part) this.needRows();
    if ("stage" in part) this.showLaboratory();
    this.draw();
    if (tell) this.tell();
  }

  /** Fetch what rows on show are computed from, unless the row on show came along already. */
  needRows() {
    const { state, scene } = this;
    if (state.layer !== "row" || !scene.site(state.stage, "rgb")) return;
    const place = queried(state);
    const known = place && scene.row(state.stage, asking(state, place), place.at);
    if (!known) this.inquiry.rows(scene, state.stage, this.say("busy.rows"));
  }

  reset() {
    if (!this.scene) return;
    this.state = { ...firstState(), changes: this.state.changes };
    this.pointing.pen.stop();
    this.alter(unchanged());
    this.desk.panes.show(this.state);
    this.desk.results.showRegion(this.scene, null);
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    if (!this.shown()) return;
    if (event.key === "o") this.set({ overlay: !this.state.overlay });
    if (event.key === "p") this.setProjector(!this.desk.projecting);
    if (event.key === "Backspace" && this.pointing.pen.on) this.pointing.pen.undo();
  }

  draw() {
    if (!this.scene || this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      const { scene, state, say, baseline } = this;
      this.desk.draw({ scene, state, say, baseline });
    });
  }

  problem(key, values = {}) {
    this.options.onMessage?.(this.say(key, values));
  }
}

/** Each stage's share of RGB; null where a stage has no gate. */
function trustsOf(payload) {
  return Array.from({ length: STAGES },
    (_, stage) => payload.gates.find((gate) => gate.stage === stage)?.share[0] ?? null);
}

function download(file) {
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** Mount the crowd tab into an element; also reachable as element.crowd. See Crowd's options. */
export function mount(element, options) {
  const crowd = new Crowd(element, options);
  element.crowd = crowd;
  return crowd;
}
