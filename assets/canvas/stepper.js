// Steps of one block, one after another: back, forth, and by themselves.

import { h, svg } from "./dom.js";

const PAUSE = 900;
const SHAPES = { back: "M10 3 5 8l5 5", forth: "M6 3l5 5-5 5", play: "M5 3v10l8-5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z" };

export class Stepper {
  /** act: {chooseStep(path)} */
  constructor(act) {
    this.act = act;
    this.timer = 0;
    this.back = tool("back", () => this.step(-1));
    this.play = tool("play", () => this.toggle());
    this.forth = tool("forth", () => this.step(1));
    this.words = h("span", { class: "va-step", "aria-live": "polite" });
    this.root = h("div", { class: "va-stepper", role: "group", hidden: true },
      this.back, this.play, this.forth, this.words);
  }

  /** Show the series that a site belongs to: {paths, index}, or none. */
  show(series, say) {
    this.series = series ?? null;
    this.say = say;
    this.root.hidden = !series;
    if (!series) return this.stop();
    const { index, paths } = series;
    this.root.setAttribute("aria-label", say("steps.label"));
    const words = say("steps.step", { step: index + 1, total: paths.length });
    if (this.words.textContent !== words) this.words.textContent = words;
    this.back.disabled = index === 0;
    this.forth.disabled = index === paths.length - 1;
    name(this.back, say("steps.back"));
    name(this.forth, say("steps.forth"));
    this.showPlaying();
    return undefined;
  }

  showPlaying() {
    name(this.play, this.say(this.timer ? "steps.pause" : "steps.play"));
    this.play.querySelector("path").setAttribute("d", SHAPES[this.timer ? "pause" : "play"]);
  }

  /** One step by hand, which ends playing; nothing where a site has no steps. */
  step(by) {
    this.stop();
    if (this.series) this.go(by);
  }

  go(by) {
    const { index, paths } = this.series;
    const next = paths[index + by];
    if (next !== undefined) this.act.chooseStep(next);
  }

  /** Play from the first step, or from the one on show, to the last. */
  toggle() {
    if (this.timer) return this.stop();
    const { index, paths } = this.series;
    if (index === paths.length - 1) this.act.chooseStep(paths[0]);
    this.timer = setInterval(() => {
      const at = this.series?.index ?? 0;
      if (!this.series || at >= this.series.paths.length - 1) this.stop();
      else this.go(1);
    }, PAUSE);
    return this.showPlaying();
  }

  stop() {
    clearInterval(this.timer);
    const was = this.timer;
    this.timer = 0;
    if (was && this.say) this.showPlaying();
  }
}

function tool(shape, pressed) {
  return h("button", { type: "button", class: "va-button va-tool", onclick: pressed },
    svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[shape],
      fill: shape === "play" ? "currentColor" : "none",
      stroke: shape === "play" ? "none" : "currentColor", "stroke-width": "2",
      "stroke-linecap": "round", "stroke-linejoin": "round" })));
}

function name(button, words) {
  button.title = words;
  button.setAttribute("aria-label", words);
}
