// Values to colours: a scale says which numbers the colours stand for, a palette which colours.

/** Turn the 256 colours of a table (one hexadecimal string) into bytes (256 x 3). */
export function palette(hexadecimal) {
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < table.length; i += 1) {
    table[i] = parseInt(hexadecimal.slice(2 * i, 2 * i + 2), 16);
  }
  return table;
}

/** How far the ends of a scale are apart that has one number to show. */
const NOTHING = 1e-12;

/** A scale from low to high; `signed` ones are symmetric around 0. Never of zero width. */
export function makeScale(low, high, signed = false) {
  const width = high - low;
  return { low, high: width > 0 ? high : low + NOTHING, signed };
}

/** A scale symmetric around 0. */
export function signedScale(size) {
  const reach = size > 0 ? size : NOTHING;
  return makeScale(-reach, reach, true);
}

/** Whether all colours of a scale stand for one number. */
export function isFlat(scale) {
  return scale.high - scale.low <= 2 * NOTHING;
}

/** Position of a value on its scale, 0..1, clamped. */
export function position(scale, value) {
  return Math.min(Math.max((value - scale.low) / (scale.high - scale.low), 0), 1);
}

/** How strongly a position is drawn, 0..1: distance from the end (or middle) that means nothing. */
export function strength(scale, where) {
  return scale.signed ? Math.abs(2 * where - 1) : where;
}

/** 256 colours with their opacity (RGBA) for a scale: weak values let the scene through. */
export function colourTable(table, scale, opacity) {
  const colours = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i += 1) {
    colours.set(table.subarray(3 * i, 3 * i + 3), 4 * i);
    colours[4 * i + 3] = 255 * opacity * strength(scale, i / 255) ** 0.65;
  }
  return colours;
}
