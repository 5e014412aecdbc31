// A thumbnail of every site, in groups that fold; choosing one switches to it.

import { colourTable } from "./colours.js";
import { h, sharpen } from "./dom.js";
import { gridBox } from "./grids.js";
import { familiesOf, groupsOf, isComposed } from "./groups.js";
import { heatImage } from "./heat.js";

const WIDTH = 104;
const HEIGHT = 72;
/** With more sites than this, groups are folded until one looks into them. */
const UNFOLDED = 10;
/** Milliseconds of a frame that thumbnails may take. */
const SHARE = 8;
const WITHOUT_PICTURE = new Set(["channels", "matrix", "table", "bars"]);

export class Strip {
  /** act: {chooseSite(path)} */
  constructor(act) {
    this.act = act;
    this.root = h("div", { class: "va-families", role: "tree", "aria-orientation": "horizontal" });
    this.groups = [];
    this.root.addEventListener("keydown", (event) => this.key(event));
    // A row's scrolling does not bubble.
    this.root.addEventListener("scroll", () => this.drawSoon(), { capture: true, passive: true });
  }

  get tiles() {
    return this.groups.flatMap((group) => group.tiles);
  }

  get shown() {
    return this.groups.flatMap((group) => (group.open ? group.tiles : group.tiles.slice(0, 1)));
  }

  key(event) {
    const tiles = this.shown;
    const at = tiles.findIndex((tile) => tile.button === document.activeElement);
    if (at < 0) return;
    const group = tiles[at].group;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const open = event.key === "ArrowDown";
      if (open || tiles[at] === group.tiles[0]) this.fold(group, open);
      else group.tiles[0].button.focus();
      event.preventDefault();
      return;
    }
    const last = tiles.length - 1;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tile = tiles[Math.min(Math.max(next, 0), last)];
    tile.button.focus();
    this.act.chooseSite(tile.path);
  }

  /** Build the tiles of a payload. */
  fill(payload, say) {
    this.picture = payload.picture;
    this.framing = payload.framing;
    this.say = say;
    this.root.setAttribute("aria-label", say("strip.label"));
    const opened = new Map(this.groups.map((group) => [group.tiles[0].path, group.open]));
    const few = payload.sites.length <= UNFOLDED;
    const families = familiesOf(groupsOf(payload.sites)).map(([name, groups]) => [name,
      groups.map((group) => this.group(group, opened.get(group.head.path) ?? few))]);
    this.groups = families.flatMap(([, groups]) => groups);
    this.root.replaceChildren(...families.map(([name, groups]) => this.row(
      families.length > 1 ? say(`strip.${name}`) : null, groups)));
    this.root.hidden = this.tiles.length < 2;
  }

  /** A row that scrolls by itself, under its heading where there are several. */
  row(title, groups) {
    return h("div", { class: "va-family", role: title ? "group" : "none", "aria-label": title },
      title ? h("span", { class: "va-family-title", "aria-hidden": "true" }, title) : null,
      h("div", { class: "va-strip", role: "none" }, ...groups.map((group) => group.root)));
  }

  group({ head, members }, open) {
    const group = { open, tiles: [] };
    group.tiles = [head, ...members].map((site, i) => this.tile(site, group, i > 0));
    const [first, ...rest] = group.tiles;
    group.parts = h("span", { class: "va-parts", role: "group" }, ...rest.map((one) => one.button));
    group.toggle = h("button", { class: "va-fold", type: "button", tabindex: "-1",
      onclick: () => this.fold(group, !group.open) });
    group.root = h("span", { class: "va-group", role: "none" }, first.button,
      ...(rest.length ? [group.toggle, group.parts] : []));
    this.showFold(group);
    return group;
  }

  tile(site, group, part) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const image = h("img", { src: this.picture.url, alt: "", draggable: "false" });
    const plain = WITHOUT_PICTURE.has(site.view);
    const button = h("button", { class: part ? "va-tile va-part" : "va-tile", role: "treeitem",
      "aria-level": part ? "2" : "1", type: "button", title: site.title,
      onclick: () => this.act.chooseSite(site.path) },
    h("span", { class: "va-tile-picture" }, plain ? null : image, canvas,
      isComposed(site) ? h("span", { class: "va-tag" }, this.say("strip.composed")) : null),
    h("span", { class: "va-tile-title" }, site.title));
    return { path: site.path, button, canvas, group };
  }

  /** Show or hide what belongs to a block. */
  fold(group, open) {
    if (group.tiles.length < 2 || group.open === open) return;
    group.open = open;
    this.showFold(group);
    this.drawSoon();
  }

  showFold(group) {
    const [first, ...rest] = group.tiles;
    if (rest.length === 0) return;
    first.button.setAttribute("aria-expanded", String(group.open));
    group.parts.hidden = !group.open;
    group.root.classList.toggle("va-open", group.open);
    group.toggle.textContent = group.open ? "‹" : `+${rest.length}`;
    const words = this.say(group.open ? "strip.fold" : "strip.unfold", { count: rest.length });
    group.toggle.title = words;
    group.toggle.setAttribute("aria-label", words);
  }

  /** Mark the current site, and open its group: one tab stop, moved by arrow keys. */
  mark(path) {
    for (const tile of this.tiles) {
      const current = tile.path === path;
      const was = tile.button.getAttribute("aria-selected") === "true";
      tile.button.setAttribute("aria-selected", String(current));
      tile.button.tabIndex = current ? 0 : -1;
      if (!current) continue;
      if (tile !== tile.group.tiles[0]) this.fold(tile.group, true);
      if (!was) this.reveal(tile.button);
    }
  }

  /** Scroll the strip itself, never the page. */
  reveal(button) {
    const row = button.closest(".va-strip");
    const strip = row.getBoundingClientRect();
    const box = button.getBoundingClientRect();
    if (box.left < strip.left) row.scrollLeft += box.left - strip.left - 8;
    if (box.right > strip.right) row.scrollLeft += box.right - strip.right + 8;
  }

  /** Draw the tiles that can be seen: views(path) -> what a site shows as a thumbnail. */
  draw(views, tableOf) {
    Object.assign(this, { views, tableOf });
    this.drawn = new Set();
    this.drawSoon();
  }

  drawSoon() {
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => this.drawSome());
  }

  /** Draw as many tiles as a frame has time for; the rest follow in the next ones. */
  drawSome() {
    if (!this.views || !this.root.isConnected) return;
    const until = performance.now() + SHARE;
    for (const tile of this.shown) {
      if (this.drawn.has(tile.path) || !this.inSight(tile.button)) continue;
      if (performance.now() > until) return void this.drawSoon();
      this.drawn.add(tile.path);
      this.drawTile(tile);
    }
  }

  inSight(button) {
    const strip = this.root.getBoundingClientRect();
    const box = button.getBoundingClientRect();
    return box.width > 0 && box.right > strip.left && box.left < strip.right;
  }

  drawTile(tile) {
    const view = this.views(tile.path);
    const { context, ratio } = sharpen(tile.canvas, WIDTH, HEIGHT);
    if (!view) return;
    if (view.bars) this.drawBars(context, ratio, view.bars);
    else this.drawHeat(context, ratio, view, this.tableOf(view.scale));
  }

  drawHeat(context, ratio, view, table) {
    const rows = view.rows ?? view.grid.rows;
    const columns = view.columns ?? view.grid.columns;
    const colours = colourTable(table, view.scale, view.plain ? 1 : 0.9);
    if (view.plain) for (let i = 3; i < colours.length; i += 4) colours[i] = 255;
    const image = heatImage(view.values, rows, columns, view.scale, colours);
    context.imageSmoothingEnabled = !view.plain;
    context.drawImage(image, ...(view.plain ? fittedTable(rows, columns) : this.fitted(view.grid))
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

/** A table keeps its proportions where these fit, at least a third of the tile each way. */
function fittedTable(rows, columns) {
  const [across, down] = [WIDTH - 8, HEIGHT - 8];
  const zoom = Math.min(across / columns, down / rows);
  const width = Math.max(columns * zoom, across / 3);
  const height = Math.max(rows * zoom, down / 3);
  return [(WIDTH - width) / 2, (HEIGHT - height) / 2, width, height];
}
