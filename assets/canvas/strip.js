// A thumbnail of every site; choosing one switches to it.

import { colourTable } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { gridBox } from "./grids.js";
import { heatImage } from "./heat.js";

const WIDTH = 104;
const HEIGHT = 72;

export class Strip {
  /** act: {chooseSite(path)} */
  constructor(act) {
    this.act = act;
    this.list = h("div", { class: "va-strip", role: "tablist" });
    this.root = this.list;
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const at = this.tiles.findIndex((tile) => tile.button === document.activeElement);
    const last = this.tiles.length - 1;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    const tile = this.tiles[Math.min(Math.max(next, 0), last)];
    tile.button.focus();
    this.act.chooseSite(tile.path);
  }

  /** Build the tiles of a payload. */
  fill(payload, say) {
    this.picture = payload.picture;
    this.framing = payload.framing;
    this.list.setAttribute("aria-label", say("strip.label"));
    this.tiles = payload.sites.map((site) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      const image = h("img", { src: payload.picture.url, alt: "", draggable: "false" });
      const plain = site.kind.startsWith("channel");
      const button = h("button", { class: "va-tile", role: "tab", type: "button",
        onclick: () => this.act.chooseSite(site.path) },
      h("span", { class: "va-tile-picture" }, plain ? null : image, canvas),
      h("span", { class: "va-tile-title" }, site.title));
      return { path: site.path, button, canvas };
    });
    this.list.replaceChildren(...this.tiles.map((tile) => tile.button));
    this.list.hidden = this.tiles.length < 2;
  }

  /** Mark the current site: one tab stop, moved by arrow keys. */
  mark(path) {
    for (const tile of this.tiles) {
      const current = tile.path === path;
      const was = tile.button.getAttribute("aria-selected") === "true";
      tile.button.setAttribute("aria-selected", String(current));
      tile.button.tabIndex = current ? 0 : -1;
      if (current && !was) this.reveal(tile.button);
    }
  }

  /** Scroll the strip itself, never the page. */
  reveal(button) {
    const from = button.offsetLeft;
    const to = from + button.offsetWidth;
    if (from < this.list.scrollLeft) this.list.scrollLeft = from - 8;
    const end = this.list.scrollLeft + this.list.clientWidth;
    if (to > end) this.list.scrollLeft = to - this.list.clientWidth + 8;
  }

  /** Draw all tiles: views(path) -> what a site shows as a thumbnail. */
  draw(views, tableOf) {
    for (const tile of this.tiles) {
      const { context, ratio } = sharpen(tile.canvas, WIDTH, HEIGHT);
      const view = views(tile.path);
      if (!view) continue;
      if (view.bars) this.drawBars(context, ratio, view.bars);
      else this.drawHeat(context, ratio, view, tableOf(view.scale));
    }
  }

  drawHeat(context, ratio, view, table) {
    const rows = view.rows ?? view.grid.rows;
    const columns = view.columns ?? view.grid.columns;
    const colours = colourTable(table, view.scale, view.plain ? 1 : 0.9);
    if (view.plain) for (let i = 3; i < colours.length; i += 4) colours[i] = 255;
    const image = heatImage(view.values, rows, columns, view.scale, colours);
    context.imageSmoothingEnabled = !view.plain;
    context.drawImage(image, ...(view.plain ? square() : this.fitted(view.grid))
      .map((value) => value * ratio));
  }

  /** The tile shows the middle of the picture (object-fit: cover); the heat follows. */
  fitted(grid) {
    const { width, height } = this.picture;
    const zoom = Math.max(WIDTH / width, HEIGHT / height);
    const [left, top, across, down] = gridBox(this.framing, grid).map((value) => value * zoom);
    return [left + (WIDTH - width * zoom) / 2, top + (HEIGHT - height * zoom) / 2, across, down];
  }

  drawBars(context, ratio, values) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = getComputedStyle(this.root).getPropertyValue("--va-bar-ink");
    const step = (WIDTH - 16) / values.length;
    values.forEach((value, rank) => {
      const tall = Math.max((HEIGHT - 16) * Math.min(Math.max(value, 0), 1), 1);
      context.fillRect(8 + rank * step, HEIGHT - 8 - tall, step + 0.1, tall);
    });
  }
}

function square() {
  const side = HEIGHT - 8;
  return [(WIDTH - side) / 2, 4, side, side];
}
