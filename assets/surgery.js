// The panel "What changes": other attention at the site on show, run by the server.

import { debounced, h } from "./canvas/dom.js";
import { button } from "./canvas/fields.js";
import { speaker } from "./canvas/format.js";
import { inLanguage } from "./canvas/spoken.js";
import { Brush } from "./surgery/brush.js";
import { Result } from "./surgery/result.js";
import { Tools } from "./surgery/tools.js";

const SETTLED = 250;
const LOST = 90000;

class Surgery {
  constructor(options) {
    this.options = options;
    this.changes = new Map();
    this.past = [];
    this.turn = 0;
    this.brush = new Brush(() => this.instrument?.desk.stage, (done) => this.painted(done));
    this.tools = new Tools({
      choose: (operation) => this.choose(operation),
      number: (number) => this.renumber(number),
      brush: (part) => this.adjust(part),
      hold: (on) => this.hold(on),
      dot: () => this.brush.dot(this.instrument.cursor()),
      undo: () => this.undo(),
      reset: () => this.reset(),
    });
    this.result = new Result();
    this.others = h("ul", { class: "vs-others" });
    this.title = h("summary");
    this.lead = h("p", { class: "va-quiet" });
    this.root = h("details", { class: "va vs" }, this.title, h("div", { class: "vs-body" },
      this.lead, this.tools.root, this.others, this.result.root));
    this.root.addEventListener("toggle", () => this.root.open || this.hold(false));
    this.later = debounced(() => this.ask(), SETTLED);
    document.addEventListener("vizattn:shown", () => this.follow());
    this.speak("en");
    this.follow();
  }

  get instrument() {
    return this.options.instrument();
  }

  /** The site on show. */
  get site() {
    return this.instrument?.state?.site;
  }

  /** What can be done at the site on show, by name; null where it is nothing of its own. */
  get offer() {
    return this.payload?.changes?.[this.site] ?? null;
  }

  speak(language) {
    this.language = language;
    this.say = speaker(this.options.texts[language]);
    this.title.textContent = this.say("panel.title");
    this.lead.textContent = this.say("panel.lead");
    this.tools.label(this.say);
    this.result.label(this.say);
  }

  /** The instrument shows something: another picture, site or language, or only another place. */
  follow() {
    const { instrument } = this;
    if (!instrument) return;
    // Under the picture that it is about, and not under the column of facts beside it.
    const { under } = instrument.desk;
    if (!under.contains(this.root)) under.append(this.root);
    const spoken = instrument.language !== this.language;
    if (spoken) this.speak(instrument.language);
    this.root.classList.toggle("va-projector", instrument.desk.projecting);
    const fresh = instrument.payload?.id !== this.payload?.id;
    const moved = this.site !== this.shownSite;
    this.payload = instrument.payload;
    this.root.hidden = !this.payload;
    if (fresh) this.forget();
    if (fresh || moved) this.hold(false);
    if (fresh || moved || spoken) this.show();
  }

  forget() {
    this.changes = new Map();
    this.past = [];
    this.found = null;
    this.later.cancel();
    this.turn += 1;
    this.waiting = false;
  }

  // What is changed.

  /** Remember what was, and take other changes. */
  change(changes) {
    this.past.push(this.changes);
    this.changes = changes;
    this.show();
    this.later();
  }

  with(site, change) {
    const changes = new Map(this.changes);
    if (change) changes.set(site, change);
    else changes.delete(site);
    return changes;
  }

  choose(name) {
    if (name === null) {
      this.hold(false);
      this.change(this.with(this.site, null));
      return;
    }
    const most = this.offer[name];
    const number = most === null ? null : this.tools.first(name, most);
    const strokes = name === "paint" ? [] : null;
    this.change(this.with(this.site, { name, number, strokes }));
    if (strokes) this.brush.strokes = strokes;
    this.hold(name === "paint");
  }

  /** The slider moves: one step of undoing for all of it. */
  renumber(number) {
    const own = this.changes.get(this.site);
    if (!own || own.number === number) return;
    if (!this.sliding) this.past.push(this.changes);
    this.sliding = true;
    this.changes = this.with(this.site, { ...own, number });
    this.tools.show(this.offer, this.changes.get(this.site), this.past.length > 0, this.say);
    this.later();
  }

  adjust(part) {
    Object.assign(this.brush, part);
    this.tools.showBrush(this.brush, this.say);
  }

  hold(on) {
    if (on && this.changes.get(this.site)?.name !== "paint") return;
    if (on) this.brush.strokes = this.changes.get(this.site).strokes;
    if (on || this.brush.on) this.brush.hold(on);
    if (on) this.instrument.desk.stage.frame.scrollIntoView({ block: "nearest" });
    this.tools.showBrush(this.brush, this.say);
    this.instrument?.draw();
  }

  painted(done) {
    this.instrument?.draw();
    const own = this.changes.get(this.site);
    if (done && own?.name === "paint") {
      this.change(this.with(this.site, { ...own, strokes: this.brush.strokes }));
    }
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.changes = before;
    const own = before.get(this.site);
    this.brush.strokes = own?.strokes ?? [];
    if (own?.name !== "paint") this.hold(false);
    this.instrument?.draw();
    this.show();
    this.later();
  }

  reset() {
    this.hold(false);
    if (this.changes.size) this.change(new Map());
  }

  // Asking the server: one question at a time, and of those that wait only the last.

  /** What the server is asked to do: paint without a stroke is nothing yet. */
  wanted() {
    return [...this.changes].filter(([, { name, strokes }]) => name !== "paint" || strokes.length)
      .map(([site, { name, number, strokes }]) => ({ site,
        operation: number === null ? name : `${name}:${number}`, ...(strokes ? { strokes } : {}) }));
  }

  ask() {
    this.sliding = false;
    const changes = this.wanted();
    if (!changes.length) {
      this.found = null;
      this.turn += 1;
      this.waiting = false;
      this.show();
      return;
    }
    if (this.waiting && performance.now() - this.asked < LOST) {
      this.again = true;
      return;
    }
    this.turn += 1;
    this.waiting = true;
    this.again = false;
    this.asked = performance.now();
    this.show();
    this.options.send({ turn: this.turn, analysis: this.payload.id, language: this.language,
      changes });
  }

  /** Take an answer of the server; what is no longer asked is passed over. */
  async receive(message) {
    if (message.turn !== this.turn) return;
    const { turn } = this;
    const found = message.ok ? await fetched(message.file).catch(() => null) : null;
    if (turn !== this.turn) return;
    this.waiting = false;
    this.found = found;
    this.refused = !found;
    if (this.again) this.ask();
    else this.show();
  }

  /** The question got no answer. */
  failed() {
    if (!this.waiting) return;
    this.waiting = false;
    this.found = null;
    this.refused = true;
    this.show();
  }

  // What is on show.

  show() {
    const { payload, say } = this;
    if (!payload) return;
    this.shownSite = this.site;
    const own = this.changes.get(this.site) ?? null;
    this.tools.show(this.offer, own, this.past.length > 0, say);
    this.tools.showBrush(this.brush, say);
    this.showOthers();
    this.root.setAttribute("aria-busy", String(Boolean(this.waiting)));
    this.root.classList.toggle("vs-waiting", Boolean(this.waiting));
    // Who paints looks at the picture.
    if (this.brush.on) this.instrument.setBusy(this.waiting ? this.busyWords() : null);
    const wanted = this.wanted();
    if (this.waiting) {
      this.result.sentence.textContent = this.busyWords();
    } else if (this.found && wanted.length) {
      this.result.show(inLanguage(this.found, this.language), payload,
        new Set(wanted.map(({ site }) => site)), say);
    } else this.result.clear(say(this.idleWords(wanted, own)));
  }

  busyWords() {
    return this.say("panel.busy", { network: this.payload.network.title });
  }

  idleWords(wanted, own) {
    if (wanted.length) return this.refused ? "panel.failed" : "panel.soon";
    return own?.name === "paint" ? "panel.paint_first" : "panel.nothing";
  }

  /** Changes at other sites, each with what takes it back. */
  showOthers() {
    const titles = new Map(this.payload.sites.map((site) => [site.path, site.title]));
    this.others.replaceChildren(...[...this.changes].filter(([site]) => site !== this.site)
      .map(([site, change]) => {
        const back = button(() => this.change(this.with(site, null)));
        back.textContent = this.say("panel.take_back");
        const words = this.say("panel.other", { site: titles.get(site) ?? site,
          change: this.tools.words(change, this.say) });
        return h("li", {}, h("span", {}, words), back);
      }));
    this.others.hidden = !this.others.children.length;
  }
}

async function fetched(file) {
  const answer = await fetch(file.url);
  if (!answer.ok) throw new Error(`${answer.status} for ${file.url}`);
  return answer.json();
}

/** Mount the panel in the instrument: options {texts by language, instrument(), send(question)}. */
export function mount(options) {
  return new Surgery(options);
}
