// What can be drawn over the pictures; a new layer is one more entry.

import { makeScale } from "../canvas/colours.js";
import { number, percent } from "../canvas/format.js";
import { cellAt, cellBox, cells, rowColumn, toModel } from "../canvas/grids.js";
import { extent, largest } from "../canvas/statistics.js";
import { asking, drawnOver, queried } from "./state.js";
import { cellsOf, tokenOf } from "./tokens.js";

const FIXED_UNIFORM = 20;
const GATE_REACH = 0.02;

const plain = {
  staged: false,
  frame: () => null,
  legend: null,
  pointed: () => null,
};

const density = {
  staged: false,

  frame({ scene, state, sense, baseline }) {
    if (!drawnOver(state, sense)) return null;
    const high = state.scale === "fixed" ? largest(baseline.density.values)
      : largest(scene.density.values);
    return { values: scene.density.values, grid: scene.density.grid, scale: makeScale(0, high) };
  },

  legend({ scene, state, say }, frame) {
    const [, , width, height] = cellBox(scene.framing, scene.density.grid, 0);
    const size = { width: number(width, 2), height: number(height, 2) };
    const label = say(state.scale === "fixed" ? "bar.density_fixed" : "bar.density",
      { value: number(frame.scale.high) });
    return { label: `${label} · ${say("bar.density_cell", size)}`, ticks: [] };
  },

  pointed({ scene, say }, at) {
    const index = cellAt(scene.density.grid, toModel(scene.framing, at));
    const value = scene.density.values[index];
    return { value, words: [say("readout.density", { value: number(value) })],
      boxes: [cellBox(scene.framing, scene.density.grid, index)] };
  },
};

const row = {
  staged: true,

  /** The row lies over the sense that is asked, whatever else is chosen. */
  frame({ scene, state, sense }) {
    const found = rowOf(scene, state);
    if (!found || found.over !== sense) return null;
    const high = state.scale === "fixed" ? Math.min(1, FIXED_UNIFORM / found.row.length)
      : largest(found.row);
    return { values: found.values, grid: found.site.grid, scale: makeScale(0, high), bands: found };
  },

  legend({ scene, state, say }, frame) {
    const { row: weights, site } = rowOf(scene, state);
    const count = weights.length;
    const label = state.scale === "fixed"
      ? say("bar.fixed_uniform", { times: FIXED_UNIFORM, value: number(frame.scale.high) })
      : say("bar.row", { value: number(largest(weights)) });
    const uniform = { value: 1 / count, name: say("bar.uniform_name"),
      label: say("bar.uniform_tokens", { count, value: number(1 / count, 2), bands: site.bands }) };
    return { label, ticks: [uniform] };
  },

  pointed({ scene, state, say }, at, sense) {
    const found = rowOf(scene, state);
    if (!found || found.over !== sense) return null;
    const { site, row: weights } = found;
    const token = tokenOf(cellAt(site.grid, toModel(scene.framing, at)), site.tokens);
    const value = weights[token];
    return { value, words: [say("readout.weight", { value: number(value), token }),
      say("readout.times", { times: number(value * weights.length, 2) })],
    boxes: cellsOf(token, site.tokens, site.grid)
      .map((cell) => cellBox(scene.framing, site.grid, cell)) };
  },
};

const gate = {
  staged: true,
  signed: true,

  frame({ scene, state, sense }) {
    const found = scene.gates.get(state.stage);
    if (!found || !drawnOver(state, sense)) return null;
    return { values: thermalShare(found), grid: found.grid, scale: gateScale(found, state) };
  },

  legend({ scene, state, say }, frame) {
    const [rgb, thermal] = scene.gates.get(state.stage).share;
    const label = say(state.scale === "fixed" ? "bar.gate_fixed" : "bar.gate",
      { low: number(frame.scale.low, 2), high: number(frame.scale.high, 2) });
    const mean = say("bar.gate_mean", { rgb: percent(rgb), thermal: percent(thermal) });
    const end = (sense, value) => ({ value, name: say(`ends.${sense}`),
      label: say(`ends.${sense}_colour`) });
    return { label: `${label} · ${mean}`,
      ticks: [end("rgb", frame.scale.low), end("thermal", frame.scale.high)] };
  },

  pointed({ scene, state, say }, at) {
    const found = scene.gates.get(state.stage);
    if (!found) return null;
    const index = cellAt(found.grid, toModel(scene.framing, at));
    const value = thermalShare(found)[index];
    return { value, words: [say("readout.gate", { rgb: percent(1 - value), thermal: percent(value) }),
      say("readout.cell", cellWords(found.grid, index))],
    boxes: [cellBox(scene.framing, found.grid, index)] };
  },
};

function cellWords(grid, index) {
  const [line, column] = rowColumn(grid, index);
  return { row: line, column };
}

/** The share of the thermal picture: 0 where only RGB is trusted, 1 where only thermal is. */
function thermalShare(found) {
  found.thermal ??= found.values.map((share) => 1 - share);
  return found.thermal;
}

/** Symmetric about a half, where neither sense is trusted more. */
function gateScale(found, state) {
  if (state.scale === "fixed") return makeScale(0, 1, true);
  const [low, high] = extent(found.values);
  const reach = Math.max(GATE_REACH, Math.abs(low - 0.5), Math.abs(high - 0.5));
  return makeScale(0.5 - reach, 0.5 + reach, true);
}

/** The row of the queried place, or null. */
export function rowOf(scene, state) {
  const place = queried(state);
  return place && scene.row(state.stage, asking(state, place), place.at);
}

/** The boxes of all cells that the queried token stands for; the pointed one is first. */
export function askingBoxes(scene, state) {
  const place = queried(state);
  const site = place && scene.site(state.stage, asking(state, place));
  if (!site) return null;
  const cell = cellAt(site.grid, toModel(scene.framing, place.at));
  const rest = cellsOf(tokenOf(cell, site.tokens), site.tokens, site.grid)
    .filter((one) => one !== cell);
  return [cell, ...rest].map((one) => cellBox(scene.framing, site.grid, one));
}

/** Where the bands of a re-assembled map meet: the first cell of each band but the first. */
export function bandStarts(site) {
  const starts = [];
  for (let cell = site.tokens; cell < cells(site.grid); cell += site.tokens) starts.push(cell);
  return starts;
}

const KINDS = { plain, density, row, gate };

export function layerOf(state) {
  return KINDS[state.layer];
}
