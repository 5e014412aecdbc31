// The outline of the cells that a query can hear at all: a window, a cross, scattered points.

const MOST = 4096;

/** Add to a path the borders between cells of a set and others; box = the grid's, on screen. */
export function traceReach(context, { cells, grid }, [left, top, width, height]) {
  if (cells.size > MOST || cells.size === grid.rows * grid.columns) return;
  const across = width / grid.columns;
  const down = height / grid.rows;
  const line = (x, y, toX, toY) => {
    context.moveTo(left + x * across, top + y * down);
    context.lineTo(left + toX * across, top + toY * down);
  };
  for (const cell of cells) {
    const x = cell % grid.columns;
    const y = Math.floor(cell / grid.columns);
    if (x === 0 || !cells.has(cell - 1)) line(x, y, x, y + 1);
    if (x === grid.columns - 1 || !cells.has(cell + 1)) line(x + 1, y, x + 1, y + 1);
    if (y === 0 || !cells.has(cell - grid.columns)) line(x, y, x + 1, y);
    if (y === grid.rows - 1 || !cells.has(cell + grid.columns)) line(x, y + 1, x + 1, y + 1);
  }
}
