// What the crowd tab asks the server, and what it makes of the answers.

import { Courier } from "./courier.js";
import { asking, queried, unchanged } from "./state.js";

export class Inquiry {
  /**
   * options: {send, upload}; desk: {setBusy}; on: {scene(payload, fresh), rows(stage, buffer),
   * point(changes, answer), cost(rows), suggested(answer), refused(), file(file)}.
   */
  constructor(options, on, busy) {
    this.options = options;
    this.on = on;
    this.courier = new Courier(options.send, busy);
    this.pair = null;
    this.parts = {};
    this.network = options.offer.networks[0]?.name ?? null;
    this.registration = null;
    this.sweeping = [];
    this.fetching = null;
  }

  /** Open an example, or a visitor's own pictures: {example} or {own, rgb, thermal, swap}. */
  open(pair, words) {
    this.still();
    // A picture that still waits for its turn goes along with the one that comes after it.
    this.parts = "own" in pair ? { ...this.parts, ...pair } : {};
    const data = () => {
      const own = "own" in pair && { ...this.parts, own: this.pair?.id ?? null };
      this.parts = {};
      return { pair: own || pair, network: this.network, registration: pair.registration ?? null };
    };
    this.courier.ask("open", words, data, (message) => this.opened(message));
  }

  async opened(message) {
    if (!message) return this.on.refused();
    const payload = await json(message.file);
    this.pair = payload.pair;
    this.registration = payload.registration;
    return this.on.scene(payload, true);
  }

  /** Count again without changes: after another network or registration was chosen. */
  again(words, { network = this.network, registration = this.registration } = {}) {
    this.still();
    const data = () => ({ ...this.order(unchanged()), network, registration });
    this.courier.ask("look", words, data, async (message) => {
      if (!message) return this.on.refused();
      const payload = await json(message.file);
      this.network = network;
      this.registration = payload.registration;
      return this.on.scene(payload, true);
    });
  }

  /** Count with the changes of a state; the newest state when the question leaves. */
  change(stateNow, words) {
    this.still();
    this.courier.ask("look", words, () => {
      const state = stateNow();
      return { ...this.order(state.changes), want: wanted(state) };
    }, async (message) => (message ? this.on.scene(await json(message.file), false)
      : this.on.refused()));
  }

  /** Fetch what rows of a stage are computed from. */
  rows(scene, stage, words) {
    const name = `${scene.payload.id} ${stage}`;
    if (this.fetching === name || scene.hasFactors(stage)) return;
    this.fetching = name;
    const data = () => ({ ...this.order(scene.payload.changes), id: scene.payload.id, stage });
    this.courier.ask("rows", words, data, async (message) => {
      const buffer = message && await (await fetched(message.file)).arrayBuffer();
      if (this.fetching === name) this.fetching = null;
      if (buffer) this.on.rows(scene, stage, buffer);
    });
  }

  /** Measure further points of a curve, one after another, until something else is asked. */
  sweep(list) {
    this.sweeping = [...list];
    this.next();
  }

  next() {
    const step = this.sweeping.shift();
    if (!step) return;
    const { knob, value, changes } = step;
    this.courier.ask("sweep", null, { ...this.order(changes), knob, value }, (message) => {
      if (message) this.on.point(changes, message);
      this.next();
    });
  }

  cost(scene, words) {
    const data = { ...this.order(scene.payload.changes), id: scene.payload.id };
    this.courier.ask("cost", words, data, (message) => message && this.on.cost(message.rows));
  }

  suggest(words) {
    this.courier.ask("suggest", words, this.order(unchanged()),
      (message) => message && this.on.suggested(message));
  }

  save(scene, what, state, words) {
    const place = queried(state);
    const selection = { layer: state.layer, stage: state.stage, colormap: state.colormap,
      asking: place ? asking(state, place) : "rgb", at: place?.at ?? null, region: state.region,
      scale: state.scale, opacity: state.opacity, smooth: state.smooth, over: state.over };
    this.courier.ask("save", words, { ...this.order(scene.payload.changes), id: scene.payload.id,
      what, selection }, (message) => message && this.on.file(message.file));
  }

  /** Send a visitor's files: {sense: file}. */
  async send(files, words) {
    this.on.busy(words);
    try {
      const sent = {};
      for (const [sense, file] of Object.entries(files)) {
        sent[sense] = (await this.options.upload(file)).path;
      }
      return sent;
    } catch {
      this.on.busy(null);
      return null;
    }
  }

  /** What identifies an analysis: the pair, the network, the registration and the changes. */
  order(changes) {
    return { pair: this.pair?.id ? { own: this.pair.id } : { example: this.pair?.example },
      network: this.network, registration: this.registration, changes };
  }

  /** What only fills in a curve waits for nobody. */
  still() {
    this.sweeping = [];
    this.fetching = null;
    this.courier.drop("sweep", "rows");
  }
}

/** The row that the server sends along, so that it follows a slider without its factors. */
function wanted(state) {
  const place = queried(state);
  if (state.layer !== "row" || !place) return null;
  return { stage: state.stage, asking: asking(state, place), at: place.at };
}

async function fetched(file) {
  const answer = await fetch(file.url);
  if (!answer.ok) throw new Error(`${answer.status} for ${file.url}`);
  return answer;
}

async function json(file) {
  return (await fetched(file)).json();
}

