// The registration step: the thermal picture is laid over the RGB one, compared, and moved.

import { h } from "../canvas/dom.js";
import { button, choice, press } from "../canvas/fields.js";
import { number } from "../canvas/format.js";
import { STILL, boxOf, fitted, nudgeBetween, nudged, unnudged } from "./registration.js";

const BLINK = 700;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FIELDS = ["x", "y", "zoom"];
const WAYS = ["swipe", "blink", "mix"];
const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");

export class Alignment {
  /** act: {apply(registration), close(), suggest()} */
  constructor(act) {
    this.act = act;
    this.way = "swipe";
    this.nudge = { ...STILL };
    this.rgb = h("img", { class: "va-image", alt: "", draggable: "false" });
    this.thermal = h("img", { class: "va-image", alt: "", draggable: "false" });
    this.layer = h("div", { class: "vc-over" }, this.thermal);
    this.line = h("i", { class: "vc-swipe-line", "aria-hidden": "true" });
    this.frame = h("div", { class: "va-frame vc-compare", tabindex: "0", role: "application" },
      this.rgb, this.layer, this.line);
    this.box = h("div", { class: "va-box va-filled" }, this.frame);
    this.ways = choice("compare", WAYS, (value) => this.compare(value));
    this.swipe = h("input", { type: "range", min: "0", max: "100", value: "50",
      oninput: () => this.draw() });
    this.fields = Object.fromEntries(FIELDS.map((name) => [name, this.field(name)]));
    this.arrows = Object.entries(ARROWS).map(([key, step]) => {
      const one = button(() => this.move(...step));
      one.dataset.key = key;
      return one;
    });
    this.suggestButton = button(() => act.suggest());
    this.fitButton = button(() => this.fit());
    this.applyButton = button(() => act.apply(this.registration));
    this.applyButton.classList.add("vc-primary");
    this.cancel = button(() => act.close());
    this.said = h("p", { class: "va-quiet", role: "status" });
    this.lead = h("p", { class: "va-quiet" });
    this.root = h("section", { class: "vc-align", hidden: true }, this.lead, this.box,
      h("div", { class: "va-controls" }, this.ways.root, this.swipe,
        h("span", { class: "va-space" }), ...FIELDS.map((name) => this.fields[name].root)),
      h("div", { class: "va-controls" }, h("div", { class: "vc-arrows" }, ...this.arrows),
        this.suggestButton, this.fitButton, h("span", { class: "va-space" }), this.cancel,
        this.applyButton),
      this.said);
    this.listen();
  }

  field(name) {
    const label = h("span");
    const input = h("input", { type: "number", class: "vc-number", "data-name": name,
      step: name === "zoom" ? "0.5" : "1",
      onchange: () => this.set({ ...this.nudge, [name]: this.read(name, +input.value) }) });
    return { label, input, root: h("label", { class: "va-field" }, label, input) };
  }

  /** The zoom is written in percent; what is no number leaves the field as it was. */
  read(name, value) {
    if (!Number.isFinite(value)) return this.nudge[name];
    return name === "zoom" ? Math.min(Math.max(value, 20), 500) / 100 : value;
  }

  listen() {
    const { frame } = this;
    let last = null;
    frame.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!last) return;
      const scale = this.scene.frame.width / frame.clientWidth;
      this.move((event.clientX - last[0]) * scale, (event.clientY - last[1]) * scale);
      last = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) {
      frame.addEventListener(name, () => { last = null; });
    }
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = ARROWS[event.key];
    const size = event.shiftKey ? 10 : 1;
    const zoom = { "+": 1.005, "=": 1.005, "-": 1 / 1.005 }[event.key];
    if (step) this.move(step[0] * size, step[1] * size);
    else if (zoom) this.set({ ...this.nudge, zoom: this.nudge.zoom * zoom });
    else if (event.key === "Escape") this.act.close();
    else if (event.key === "Enter") this.act.apply(this.registration);
    else return;
    event.preventDefault();
  }

  move(x, y) {
    this.set({ ...this.nudge, x: this.nudge.x + x, y: this.nudge.y + y });
  }

  set(nudge) {
    this.nudge = { ...nudge };
    this.draw();
  }

  /** The registration as it is now: the fitted one, moved and enlarged. */
  get registration() {
    return nudged(this.base, this.nudge, this.scene.frame);
  }

  label(say) {
    this.say = say;
    this.ways.label.textContent = say("align.compare");
    this.ways.root.setAttribute("aria-label", say("align.compare"));
    for (const one of this.ways.buttons) one.textContent = say(`align.${one.dataset.value}`);
    for (const name of FIELDS) this.fields[name].label.textContent = say(`align.${name}`);
    for (const one of this.arrows) {
      one.textContent = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" }[one.dataset.key];
      one.setAttribute("aria-label", say(`align.${one.dataset.key}`));
    }
    this.swipe.setAttribute("aria-label", say("align.swipe_label"));
    this.frame.setAttribute("aria-label", say("align.label"));
    for (const [one, key] of [[this.suggestButton, "suggest"], [this.fitButton, "start"],
      [this.applyButton, "apply"], [this.cancel, "cancel"]]) one.textContent = say(`align.${key}`);
    this.suggestButton.title = say("align.suggest_hint");
    this.lead.textContent = say("align.lead");
  }

  /** Open the step on a scene with the registration that it has now. */
  open(scene, pictures) {
    this.scene = scene;
    this.pictures = pictures;
    this.rgb.src = pictures.rgb.url;
    this.thermal.src = pictures.thermal.url;
    const { frame } = scene;
    this.start(scene.payload.registration);
    this.frame.style.setProperty("--va-aspect", frame.width / frame.height);
    this.box.style.setProperty("--va-box-aspect",
      Math.min(Math.max(frame.width / frame.height, 0.8), 1.9));
    this.said.textContent = "";
    this.root.hidden = false;
    this.compare(CALM.matches && this.way === "blink" ? "swipe" : this.way);
  }

  /**
   * Take a registration. It is written as a nudge of both pictures covering the same view; what one
   * zoom for both axes cannot say stays in what is nudged.
   */
  start(registration) {
    const { frame } = this.scene;
    this.nudge = nudgeBetween(fitted(frame, this.pictures.thermal), registration, frame);
    this.base = unnudged(registration, this.nudge, frame);
  }

  /** Both pictures cover the same view. */
  fit() {
    this.base = fitted(this.scene.frame, this.pictures.thermal);
    this.set(STILL);
  }

  close() {
    this.root.hidden = true;
    clearInterval(this.timer);
  }

  compare(way) {
    this.way = way;
    clearInterval(this.timer);
    this.layer.style.visibility = "";
    if (way === "blink") {
      let on = true;
      this.timer = setInterval(() => {
        on = !on;
        this.layer.style.visibility = on ? "" : "hidden";
      }, BLINK);
    }
    this.draw();
  }

  /** Take what the server measured: the registration that it suggests, and how well it fits. */
  suggested({ registration, before, after, confident }) {
    const words = { before: number(before, 3), after: number(after, 3) };
    this.said.textContent = this.say(confident ? "align.suggested" : "align.unsure", words);
    if (!confident) return;
    this.start(registration);
    this.draw();
  }

  draw() {
    press(this.ways.buttons, this.way);
    this.swipe.hidden = this.way !== "swipe";
    this.line.hidden = this.way !== "swipe";
    if (!this.scene) return;
    const { frame } = this.scene;
    const [left, top, width, height] = boxOf(this.registration, this.pictures.thermal);
    const part = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(this.thermal.style, { left: part(left, frame.width), top: part(top, frame.height),
      width: part(width, frame.width), height: part(height, frame.height) });
    this.layer.style.opacity = this.way === "mix" ? 0.5 : 1;
    this.layer.style.clipPath = this.way === "swipe" ? `inset(0 0 0 ${this.swipe.value}%)` : "none";
    this.line.style.left = `${this.swipe.value}%`;
    const { x, y, zoom } = this.nudge;
    const shown = { x: round(x, 1), y: round(y, 1), zoom: round(zoom * 100, 2) };
    for (const name of FIELDS) {
      const { input } = this.fields[name];
      if (input.value !== String(shown[name])) input.value = shown[name];
    }
  }
}

function round(value, digits) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
