// Original pixels, model pixels, cells. Continuous coordinates: pixel (i, j) covers [i, i + 1).

/** Original pixels -> model pixels. */
export function toModel(framing, [x, y]) {
  return [x * framing.scale[0] + framing.offset[0], y * framing.scale[1] + framing.offset[1]];
}

/** Model pixels -> original pixels. */
export function toOriginal(framing, [x, y]) {
  return [(x - framing.offset[0]) / framing.scale[0], (y - framing.offset[1]) / framing.scale[1]];
}

/** Number of cells of a grid. */
export function cells(grid) {
  return grid.rows * grid.columns;
}

/** Index (row-major) of the cell under a model pixel, clamped to the grid. */
export function cellAt(grid, [x, y]) {
  const column = Math.floor((x - grid.origin[0]) / grid.cell[0]);
  const row = Math.floor((y - grid.origin[1]) / grid.cell[1]);
  return clamp(row, grid.rows) * grid.columns + clamp(column, grid.columns);
}

function clamp(index, count) {
  return Math.min(Math.max(index, 0), count - 1);
}

/** Row and column of a cell. */
export function rowColumn(grid, index) {
  return [Math.floor(index / grid.columns), index % grid.columns];
}

/** Centre of a cell in model pixels. */
export function cellCentre(grid, index) {
  const [row, column] = rowColumn(grid, index);
  return [
    grid.origin[0] + (column + 0.5) * grid.cell[0],
    grid.origin[1] + (row + 0.5) * grid.cell[1],
  ];
}

/** Box of a cell in original pixels: [left, top, width, height]. */
export function cellBox(framing, grid, index) {
  const [row, column] = rowColumn(grid, index);
  const [left, top] = toOriginal(framing, [
    grid.origin[0] + column * grid.cell[0], grid.origin[1] + row * grid.cell[1],
  ]);
  return [left, top, grid.cell[0] / framing.scale[0], grid.cell[1] / framing.scale[1]];
}

/** Box of the whole grid in original pixels; it may reach beyond the picture. */
export function gridBox(framing, grid) {
  const [left, top] = toOriginal(framing, grid.origin);
  return [
    left, top,
    (grid.columns * grid.cell[0]) / framing.scale[0], (grid.rows * grid.cell[1]) / framing.scale[1],
  ];
}

/** Move a place by whole cells; the answer is the centre of a cell, kept inside the picture. */
export function moved(framing, grid, picture, place, columns, rows) {
  const [row, column] = rowColumn(grid, cellAt(grid, toModel(framing, place)));
  const next = clamp(row + rows, grid.rows) * grid.columns + clamp(column + columns, grid.columns);
  return inside(picture, toOriginal(framing, cellCentre(grid, next)));
}

/** Keep a place inside the picture (the last cells of a padded input reach beyond it). */
export function inside(picture, [x, y]) {
  const edge = 1e-3;
  return [
    Math.min(Math.max(x, 0), picture.width - edge), Math.min(Math.max(y, 0), picture.height - edge),
  ];
}
