// How much of every cell lies in a region: exact areas, the same sums as the library's count_in.
// People are spread evenly over the part of their cell that is on the picture.

const TOUCHING = 1e-9;

/** Where cells begin and end along an axis (0: x, 1: y), in original pixels, inside the picture. */
export function cellEdges(grid, framing, picture, axis) {
  const count = axis === 0 ? grid.columns : grid.rows;
  const side = axis === 0 ? picture.width : picture.height;
  return Array.from({ length: count + 1 }, (_, i) => {
    const model = grid.origin[axis] + i * grid.cell[axis];
    const pixel = (model - framing.offset[axis]) / framing.scale[axis];
    if (Math.abs(pixel - side) < TOUCHING * side) return side;
    return Math.min(Math.max(pixel, 0), side);
  });
}

/**
 * Share of each cell's own area that a polygon covers (rows x columns). It may have any shape;
 * what it runs around is inside, however often (nonzero winding), as when a canvas fills it.
 */
export function coverage(polygon, grid, framing, picture) {
  const x = cellEdges(grid, framing, picture, 0);
  const y = cellEdges(grid, framing, picture, 1);
  const edges = edgesOf(polygon);
  const heights = slabs(edges, y);
  const areas = new Float64Array(grid.rows * grid.columns);
  let row = 0;
  for (let i = 0; i + 1 < heights.length; i += 1) {
    const [top, bottom] = [heights[i], heights[i + 1]];
    while (row + 1 < grid.rows && y[row + 1] < (top + bottom) / 2) row += 1;
    addSlab(areas, row * grid.columns, edges, top, bottom, x);
  }
  return areas.map((area, i) => {
    const [line, column] = [Math.floor(i / grid.columns), i % grid.columns];
    const whole = (y[line + 1] - y[line]) * (x[column + 1] - x[column]);
    return whole > 0 ? Math.min(Math.max(area / whole, 0), 1) : 0;
  });
}

/** People inside a polygon of original pixels. */
export function countInside(polygon, density, framing, picture) {
  const shares = coverage(polygon, density.grid, framing, picture);
  let count = 0;
  for (let i = 0; i < shares.length; i += 1) count += shares[i] * density.values[i];
  return count;
}

function edgesOf(polygon) {
  return polygon.map(([x0, y0], i) => {
    const [x1, y1] = polygon[(i + 1) % polygon.length];
    return { x0, y0, x1, y1 };
  });
}

/** The heights between which no edge begins, ends, meets another or leaves a row of cells. */
function slabs(edges, y) {
  const heights = [...y, ...edges.map((edge) => edge.y0), ...crossings(edges)];
  const [top, bottom] = [y[0], y[y.length - 1]];
  return [...new Set(heights.filter((one) => one >= top && one <= bottom))].sort((a, b) => a - b);
}

function crossings(edges) {
  const heights = [];
  for (let i = 0; i < edges.length; i += 1) {
    for (let j = i + 1; j < edges.length; j += 1) {
      const height = crossing(edges[i], edges[j]);
      if (height !== null) heights.push(height);
    }
  }
  return heights;
}

function crossing(a, b) {
  const [ax, ay, bx, by] = [a.x1 - a.x0, a.y1 - a.y0, b.x1 - b.x0, b.y1 - b.y0];
  const [dx, dy] = [b.x0 - a.x0, b.y0 - a.y0];
  const cross = ax * by - ay * bx;
  if (cross === 0) return null;
  const along = (dx * by - dy * bx) / cross;
  const other = (dx * ay - dy * ax) / cross;
  return along > 0 && along < 1 && other > 0 && other < 1 ? a.y0 + along * ay : null;
}

/** Add what lies inside between two heights that no edge bends between. */
function addSlab(areas, from, edges, top, bottom, x) {
  const middle = (top + bottom) / 2;
  const active = edges
    .filter((one) => Math.min(one.y0, one.y1) < middle && middle < Math.max(one.y0, one.y1))
    .map((one) => {
      const slope = (one.x1 - one.x0) / (one.y1 - one.y0);
      return { above: one.x0 + (top - one.y0) * slope, below: one.x0 + (bottom - one.y0) * slope,
        turn: one.y1 > one.y0 ? 1 : -1 };
    })
    .sort((a, b) => a.above + a.below - b.above - b.below);
  let winding = 0;
  for (const edge of active) {
    const before = winding;
    winding += edge.turn;
    // What lies left of where the inside ends, less what lies left of where it began.
    const sign = (winding === 0) - (before === 0);
    if (sign) addLeft(areas, from, sign * (bottom - top), edge, x);
  }
}

function addLeft(areas, from, height, edge, x) {
  let before = leftOf(edge, x[0]);
  for (let column = 0; column + 1 < x.length; column += 1) {
    const here = leftOf(edge, x[column + 1]);
    areas[from + column] += height * (here - before);
    before = here;
  }
}

/** How far a slanted edge reaches to the right, on the mean, if it stops at `stop`. */
function leftOf({ above, below }, stop) {
  const low = Math.min(above, below);
  const high = Math.max(above, below);
  if (stop <= low) return stop;
  if (high === low) return low;
  const end = Math.min(stop, high);
  return ((end - low) * (low + end) / 2 + (high - end) * end) / (high - low);
}
