// The instrument: a picture with its attention, answering under the pointer without the server.

import { palette } from "./canvas/colours.js";
import { Desk } from "./canvas/desk.js";
import { debounced } from "./canvas/dom.js";
import { speaker } from "./canvas/format.js";
import { cellAt, moved, toModel } from "./canvas/grids.js";
import { segmentationOf } from "./canvas/prediction.js";
import { benchmarkRow } from "./canvas/rows.js";
import { openSite } from "./canvas/sites/index.js";
import { inLanguage } from "./canvas/spoken.js";
import {
  faceOf, firstState, selectionOf, siteOf, startPlace, validHead, withSelection,
} from "./canvas/state.js";

const SETTLED = 200;
const TOLD = 150;
const TYPING = "input:not([type=range]), textarea, select, [contenteditable]";

class Instrument {
  constructor(element, options) {
    this.options = options;
    this.say = speaker(options.texts);
    this.language = options.language;
    this.sites = new Map();
    this.payload = null;
    const palettes = Object.entries(options.colormaps).map(([name, text]) => [name, palette(text)]);
    this.desk = new Desk(this.acts(), Object.fromEntries(palettes));
    element.replaceChildren(this.desk.root);
    this.tell = debounced(() => this.options.onSelection?.(selectionOf(this.state)), TOLD);
    this.settle = debounced(() => this.drawSettled(), SETTLED);
    this.watch();
    this.desk.label(this.say);
    this.update(options.payload ?? null);
  }

  /** Sizes, the theme and the keys of the whole page. */
  watch() {
    this.resizing = new ResizeObserver(() => { this.desk.bar.resized(); this.draw(); });
    for (const one of this.desk.sized) this.resizing.observe(one);
    this.themed = new MutationObserver(() => { this.draw(); this.settle(); });
    for (const one of [document.documentElement, document.body]) {
      this.themed.observe(one, { attributes: true, attributeFilter: ["class"] });
    }
    this.shortcut = (event) => this.key(event);
    document.addEventListener("keydown", this.shortcut);
  }

  /** What the parts of the desk may ask for. */
  acts() {
    return {
      stage: {
        point: (place) => this.point(place),
        leave: () => this.set({ pointer: null }),
        choose: (place) => place && this.togglePin(place),
        move: (columns, rows) => this.movePointer(columns, rows),
        toggle: () => this.payload && this.togglePin(this.cursor(), true),
        unpin: () => this.set({ pin: null, token: null, keyboard: true }, true),
      },
      controls: {
        change: (part) => this.set(part, true),
        chooseSite: (path) => this.chooseSite(path),
        chooseHead: (head) => this.set({ head }, true),
        chooseToken: (token) => this.set({ token, keyboard: true }, true),
        chooseFace: (face) => this.set({ face, channel: null, channelPointed: null }, true),
        chooseStep: (path) => this.chooseStep(path),
        reset: () => this.reset(),
        projector: () => this.setProjector(!this.desk.projecting),
      },
      channels: {
        pointChannel: (channel) => this.set({ channelPointed: channel }),
        chooseChannel: (channel) => this.toggleChannel(channel, "channelPointed"),
        pointRow: (channel) => this.set({ rowPointed: channel }),
        pointCell: (row, column) => this.set({ rowPointed: row, channelPointed: column }),
        chooseRow: (channel) => this.toggleChannel(channel, "rowPointed"),
        moveRow: (channel) => this.set(
          this.state.channel === null ? { rowPointed: channel } : { channel }, true),
      },
      strip: { chooseSite: (path) => this.chooseSite(path) },
      problem: () => this.problem("problem.picture"),
    };
  }

  // The public side.

  /** The site on show. */
  get site() {
    return this.siteAt(this.state.site, this.state);
  }

  /** The numbers on show as a plain array: a row of weights, a map, or a gate. */
  row() {
    return this.payload ? Array.from(this.site.row(this.state) ?? []) : [];
  }

  /** Show another analysis, or the empty state for null. */
  update(payload) {
    this.setBusy(null);
    this.sent = payload?.sites?.length ? payload : null;
    this.translate();
    this.desk.open(this.payload);
    if (!this.payload) return;
    this.state = firstState(this.payload);
    this.fill();
  }

  /** Take the payload's words of the language on show. */
  translate() {
    this.payload = this.sent && inLanguage(this.sent, this.language);
    this.sites.clear();
    if (!this.payload) return;
    const { framing, picture, prediction } = this.payload;
    this.scene = { framing, picture, segmentation: segmentationOf(prediction, framing) };
  }

  /** Apply a selection (any part of one). */
  select(selection) {
    if (!this.payload) return;
    this.state = withSelection(this.state, selection, this.payload);
    this.draw();
    this.drawSettled();
  }

  /** Put all words into another language. */
  setLanguage(texts, language) {
    this.say = speaker(texts);
    this.language = language;
    this.desk.label(this.say);
    this.translate();
    if (this.payload) this.fill();
  }

  /** Say what is being waited for over the old picture; null when it is done. */
  setBusy(text) {
    this.desk.setBusy(text);
  }

  /** Tell the page of something that went wrong, by the key of its text. */
  problem(key) {
    this.options.onMessage?.(this.say(key));
  }

  /** Text of at least 18 px everywhere, for a room; the page hears of it by an event. */
  setProjector(on) {
    this.desk.setProjector(on);
    const event = new CustomEvent("vizattn:projector", { bubbles: true, detail: { on } });
    this.desk.root.dispatchEvent(event);
    this.draw();
  }

  destroy() {
    this.resizing.disconnect();
    this.themed.disconnect();
    this.tell.cancel();
    this.settle.cancel();
    cancelAnimationFrame(this.pending);
    document.removeEventListener("keydown", this.shortcut);
    this.desk.root.remove();
  }

  // Changes of the state.

  set(part, tell = false) {
    if (!this.payload) return;
    if (Object.keys(part).every((name) => this.state[name] === part[name])) return;
    this.state = { ...this.state, ...part };
    this.draw();
    this.settle();
    if (tell) this.tell();
  }

  point(place) {
    if (!place || !this.payload) return;
    this.set({ pointer: place, keyboard: false, ...(this.state.pin ? {} : { asked: place }) });
  }

  /** Where the keyboard is: the pointed place, else the queried one, else the middle. */
  cursor() {
    const { pointer, pin, asked } = this.state;
    return pointer ?? pin ?? asked ?? startPlace(this.payload);
  }

  movePointer(columns, rows) {
    const grid = this.payload && this.site.pointerGrid;
    if (!grid) return;
    const { pointer, pin, asked } = this.state;
    const { framing, picture } = this.payload;
    // The first key only brings the cursor to the picture.
    const place = pointer ?? pin ?? asked
      ? moved(framing, grid, picture, this.cursor(), columns, rows) : this.cursor();
    this.set({ pointer: place, keyboard: true, ...(pin ? {} : { asked: place }) });
  }

  togglePin(place, keyboard = false) {
    const grid = this.payload && this.site.pointerGrid;
    if (!grid) return;
    const cell = (at) => cellAt(grid, toModel(this.payload.framing, at));
    const same = this.state.pin && cell(this.state.pin) === cell(place);
    this.set({ pin: same ? null : place, asked: place, pointer: place, token: null, keyboard }, true);
  }

  toggleChannel(channel, pointed) {
    const pinned = channel === this.state.channel ? null : channel;
    this.set({ channel: pinned, [pointed]: pinned, keyboard: true }, true);
  }

  chooseSite(path) {
    const { heads } = siteOf(this.payload, path);
    const head = validHead(this.state.head, heads ?? 1);
    const none = { channel: null, channelPointed: null, rowPointed: null, face: null };
    this.set({ site: path, head, ...none }, true);
  }

  /** Another step of the same block: all that is chosen or pointed at stays. */
  chooseStep(path) {
    this.set({ site: path }, true);
  }

  reset() {
    if (!this.payload) return;
    this.state = firstState(this.payload);
    this.draw();
    this.drawSettled();
    this.tell();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    // The page may have other tabs, and this one may be behind them.
    if (!this.desk.root.checkVisibility()) return;
    if (event.key === "o" && this.payload) {
      this.set({ attention: !this.state.attention || this.state.classes, classes: false });
    }
    if (event.key === "," && this.payload) this.desk.stepper.step(-1);
    if (event.key === "." && this.payload) this.desk.stepper.step(1);
    if (event.key === "p") this.setProjector(!this.desk.projecting);
  }

  // Drawing: every frame what follows the pointer, and a moment later what describes it.

  fill() {
    this.desk.fill(this.payload, this.scene, this.say);
    this.draw();
    this.drawSettled();
  }

  draw() {
    if (!this.payload || this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      if (this.payload) this.desk.draw(this.site, this.state, this.say);
    });
  }

  drawSettled() {
    this.settle.cancel();
    if (!this.payload) return;
    this.desk.drawSettled(this.site, this.state, this.say, (path) => this.siteAt(path));
    this.desk.root.dispatchEvent(new CustomEvent("vizattn:shown", { bubbles: true }));
  }

  /** Sites are opened when they are first needed, and kept. */
  siteAt(path, state = {}) {
    const site = siteOf(this.payload, path);
    const face = faceOf(site, state);
    const name = `${face} ${path}`;
    if (!this.sites.has(name)) this.sites.set(name, openSite(site, this.scene, face));
    return this.sites.get(name);
  }
}

/**
 * Mount the instrument into an element; also reachable as element.vizattn.
 * options: {payload, texts, language, colormaps, onSelection(selection), onMessage(text)}
 */
export function mount(element, options) {
  element.vizattn?.destroy();
  const instrument = new Instrument(element, options);
  element.vizattn = instrument;
  return instrument;
}

export { benchmarkRow };
