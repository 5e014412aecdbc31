// A field of values as an image: one pixel a cell, or interpolated between the cells' centres.

const FINEST = 200000;
const MOST_SHEETS = 8;
const sheets = new Map();

/** A canvas of some pixels with its image: made once for each of the sizes in use. */
function sheetOf(rows, columns) {
  const name = `${rows} ${columns}`;
  const kept = sheets.get(name);
  if (kept) return kept;
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const sheet = { canvas, context: canvas.getContext("2d"), image,
    packed: new Uint32Array(image.data.buffer) };
  if (sheets.size >= MOST_SHEETS) sheets.delete(sheets.keys().next().value);
  sheets.set(name, sheet);
  return sheet;
}

/**
 * Draw values (rows x columns) into a canvas of that many pixels. It is drawn over by the next
 * image of this size: use it at once.
 */
export function heatImage(values, rows, columns, scale, colours) {
  const { canvas, context, image, packed } = sheetOf(rows, columns);
  const table = new Uint32Array(colours.buffer);
  const { low } = scale;
  const steps = 255 / (scale.high - low);
  for (let i = 0; i < packed.length; i += 1) {
    const step = (values[i] - low) * steps;
    packed[i] = table[step < 0 ? 0 : step > 255 ? 255 : Math.round(step)];
  }
  context.putImageData(image, 0, 0);
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
