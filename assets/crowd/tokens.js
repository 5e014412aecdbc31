// Tokens of a re-assembled map: token t of n holds the cells t, t + n, t + 2n, ... row by row.

import { cellAt, cells, toModel } from "../canvas/grids.js";
import { headRow } from "../canvas/rows.js";

/** The token that holds a cell. */
export function tokenOf(cell, tokens) {
  return cell % tokens;
}

/** All cells that a token stands for, one in each band. */
export function cellsOf(token, tokens, grid) {
  const found = [];
  for (let cell = token; cell < cells(grid); cell += tokens) found.push(cell);
  return found;
}

/** The token under a place of the picture. */
export function tokenAt(site, framing, place) {
  return tokenOf(cellAt(site.grid, toModel(framing, place)), site.tokens);
}

/** A row over tokens as a map over cells: every cell has the weight of its token. */
export function overCells(row, grid) {
  const values = new Float32Array(cells(grid));
  for (let from = 0; from < values.length; from += row.length) {
    values.set(row.subarray(0, values.length - from), from);
  }
  return values;
}

/** The row of a token from the factors of its affinity: exact, in O(tokens x dim). */
export function tokenRow(site, factors, token) {
  const out = new Float32Array(site.tokens);
  return headRow({ ...factors, dim: site.dim, scale: site.scale, normaliser: site.normaliser,
    queries: site.tokens, keys: site.tokens }, 0, token, out);
}
