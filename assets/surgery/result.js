// The prediction before and after, side by side, and how far attention moved.

import { h } from "../canvas/dom.js";
import { percent } from "../canvas/format.js";
import { toOriginal } from "../canvas/grids.js";
import { segmentationOf } from "../canvas/prediction.js";

const CHANGED = [240, 48, 60];
const SHOWN_CLASSES = 6;

export class Result {
  constructor() {
    this.sentence = h("p", { class: "vs-sentence", role: "status" });
    this.pictures = ["before", "after", "where"].map((name) => picture(name));
    this.pictureRow = h("div", { class: "vs-pictures" }, ...this.pictures.map((one) => one.root));
    this.before = h("th", { scope: "col" });
    this.after = h("th", { scope: "col" });
    this.name = h("th", { scope: "col" });
    this.classes = h("tbody");
    this.table = h("table", { class: "vs-classes" },
      h("thead", {}, h("tr", {}, this.name, this.before, this.after)), this.classes);
    this.movedTitle = h("h3");
    this.movedHint = h("p", { class: "va-quiet" });
    this.moved = h("ul", { class: "vs-moved" });
    this.columns = h("div", { class: "vs-columns" }, this.table,
      h("div", {}, this.movedTitle, this.movedHint, this.moved));
    this.root = h("div", { class: "vs-result" }, this.sentence, this.pictureRow, this.columns);
    this.clear("");
  }

  label(say) {
    this.name.textContent = say("result.class");
    this.before.textContent = say("result.before");
    this.after.textContent = say("result.after");
    for (const one of this.pictures) one.caption.textContent = say(`result.${one.name}`);
    this.movedTitle.textContent = say("result.attention");
    this.movedHint.textContent = say("result.attention_hint");
  }

  /** Show a sentence and no result. */
  clear(words) {
    this.sentence.textContent = words;
    this.pictureRow.hidden = true;
    this.columns.hidden = true;
  }

  /** Show a found difference; payload is the instrument's, both in the language on show. */
  show(found, payload, changed, say) {
    const segments = found.after.kind === "segment";
    this.sentence.textContent = segments
      ? segmentWords(found, say) : classWords(found, payload.prediction, say);
    this.pictureRow.hidden = !segments;
    this.columns.hidden = false;
    if (segments) this.showPictures(found, payload);
    this.classes.replaceChildren(...found.classes.slice(0, SHOWN_CLASSES).map(classRow));
    const titles = new Map(payload.sites.map((site) => [site.path, site.title]));
    this.moved.replaceChildren(...found.attention.filter(({ site, share }) => (
      share > 0 || changed.has(site))).map(({ site, share }) => movedRow(titles.get(site) ?? site,
      share, changed.has(site))));
  }

  showPictures(found, payload) {
    const [before, after] = [payload.prediction, found.after]
      .map((prediction) => segmentationOf(prediction, payload.framing));
    const masks = [before.image(), after.image(), whereImage(before, after)];
    this.pictures.forEach((one, index) => one.show(payload, masks[index], index === 2 ? 0.9 : 0.65));
  }
}

function picture(name) {
  const image = h("img", { alt: "", draggable: "false" });
  const mask = h("canvas");
  const caption = h("figcaption");
  const box = h("div", { class: "vs-picture" }, image, mask);
  const root = h("figure", {}, box, caption);
  return { name, caption, root, show: (payload, drawn, opacity) => {
    const { url, width, height } = payload.picture;
    if (image.getAttribute("src") !== url) image.src = url;
    box.style.aspectRatio = `${width} / ${height}`;
    const [left, top] = toOriginal(payload.framing, [0, 0]);
    const [scaleX, scaleY] = payload.framing.scale;
    // The mask is drawn at its own pixels and laid where the framing says.
    mask.width = drawn.width;
    mask.height = drawn.height;
    mask.getContext("2d").drawImage(drawn, 0, 0);
    Object.assign(mask.style, { left: `${(100 * left) / width}%`, top: `${(100 * top) / height}%`,
      width: `${(100 * drawn.width) / scaleX / width}%`,
      height: `${(100 * drawn.height) / scaleY / height}%`, opacity });
  } };
}

/** The pixels whose class changed, in one colour. */
function whereImage(before, after) {
  const { rows, columns } = before.prediction;
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  for (let i = 0; i < before.mask.length; i += 1) {
    if (before.mask[i] !== after.mask[i]) image.data.set([...CHANGED, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function segmentWords(found, say) {
  return found.changed > 0
    ? say("result.segment", { share: percent(found.changed) }) : say("result.same");
}

function classWords(found, prediction, say) {
  const [was] = prediction.top;
  const [now] = found.after.top;
  if (was.class !== now.class) {
    return say("result.other", { was: was.label, now: now.label,
      share: percent(now.probability) });
  }
  if (found.changed === 0) return say("result.same");
  return say("result.stays", { label: now.label, before: fine(was.probability),
    after: fine(now.probability) });
}

/** A share with a decimal always: where two are compared, small differences count. */
function fine(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function classRow({ label, before, after }) {
  return h("tr", {}, h("th", { scope: "row" }, label), barCell(before), barCell(after));
}

function barCell(share) {
  const bar = h("i");
  bar.style.width = `${100 * share}%`;
  return h("td", {}, h("span", { class: "vs-bar", "aria-hidden": "true" }, bar), percent(share));
}

function movedRow(title, share, own) {
  const bar = h("i");
  bar.style.width = `${100 * share}%`;
  return h("li", own ? { class: "vs-own" } : {}, h("span", {}, title),
    h("span", { class: "vs-bar", "aria-hidden": "true" }, bar), h("span", {}, percent(share)));
}
