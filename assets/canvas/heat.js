// A field of values as an image: one pixel a cell, or interpolated between the cells' centres.

import { position } from "./colours.js";

const FINEST = 200000;

/** Draw values (rows x columns) into a fresh canvas of that many pixels. */
export function heatImage(values, rows, columns, scale, colours) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const packed = new Uint32Array(image.data.buffer);
  const table = new Uint32Array(colours.buffer);
  for (let i = 0; i < packed.length; i += 1) {
    packed[i] = table[Math.round(position(scale, values[i]) * 255)];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/**
 * Interpolate bilinearly between the centres of cells, values first and colours after, so that no
 * colour appears that stands for no value. Beyond the outer centres the edge value holds.
 */
export function smoothed(values, rows, columns) {
  const factor = Math.max(1, Math.min(8, Math.floor(Math.sqrt(FINEST / (rows * columns)))));
  const across = taps(columns, factor);
  const down = taps(rows, factor);
  const fine = new Float32Array(across.weight.length * down.weight.length);
  let at = 0;
  for (let y = 0; y < down.weight.length; y += 1) {
    const top = down.before[y] * columns;
    const bottom = down.after[y] * columns;
    const v = down.weight[y];
    for (let x = 0; x < across.weight.length; x += 1, at += 1) {
      const left = across.before[x];
      const right = across.after[x];
      const u = across.weight[x];
      const above = values[top + left] * (1 - u) + values[top + right] * u;
      const below = values[bottom + left] * (1 - u) + values[bottom + right] * u;
      fine[at] = above * (1 - v) + below * v;
    }
  }
  return { values: fine, rows: down.weight.length, columns: across.weight.length };
}

function taps(count, factor) {
  const before = new Int32Array(count * factor);
  const after = new Int32Array(count * factor);
  const weight = new Float32Array(count * factor);
  for (let i = 0; i < weight.length; i += 1) {
    const where = Math.min(Math.max((i + 0.5) / factor - 0.5, 0), count - 1);
    before[i] = Math.floor(where);
    after[i] = Math.min(before[i] + 1, count - 1);
    weight[i] = where - before[i];
  }
  return { before, after, weight };
}
