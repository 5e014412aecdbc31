// Numbers that describe a row or a map. Shares are of the magnitudes |w|, which are the weights
// themselves wherever these are not signed.

/** Smallest and largest value. */
export function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return [low, high];
}

/** Largest magnitude. */
export function largest(values) {
  const [low, high] = extent(values);
  return Math.max(Math.abs(low), Math.abs(high));
}

function magnitudeSum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += Math.abs(values[i]);
  return total;
}

/** Sum, extremes, entropy (nats) and exp(entropy) of a row; a row of zeros has no entropy. */
export function describeRow(row) {
  const [minimum, maximum] = extent(row);
  const total = magnitudeSum(row);
  let sum = 0;
  let entropy = 0;
  for (let i = 0; i < row.length; i += 1) {
    sum += row[i];
    const share = total > 0 ? Math.abs(row[i]) / total : 0;
    if (share > 0) entropy -= share * Math.log(share);
  }
  const most = Math.log(row.length);
  return { minimum, maximum, sum, entropy, evenness: most > 0 ? entropy / most : 0,
    effective: total > 0 ? Math.exp(entropy) : 0 };
}

/** Indices of the `count` largest values, largest first. */
export function topIndices(values, count) {
  const best = [];
  for (let i = 0; i < values.length; i += 1) {
    if (best.length === count && values[i] <= values[best[count - 1]]) continue;
    let at = best.length;
    while (at > 0 && values[best[at - 1]] < values[i]) at -= 1;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}

/** All indices, largest value first. */
export function sortedIndices(values) {
  return Array.from(values, (_, i) => i).sort((a, b) => values[b] - values[a] || a - b);
}

/** How few entries hold half of the mass. */
export function halfMass(values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  const half = magnitudeSum(values) / 2;
  let held = 0;
  let count = 0;
  while (count < sizes.length && held < half) {
    held += sizes[sizes.length - 1 - count];
    count += 1;
  }
  return count;
}

/**
 * Where the mass of a row lies in the picture.
 * centres(i) -> [x, y] as fractions of the picture; returns the centre of mass and, for each of
 * the nine regions (row-major), the share of the mass and the mean value.
 */
export function spread(values, centres) {
  const total = magnitudeSum(values);
  const mass = new Float64Array(9);
  const sums = new Float64Array(9);
  const counts = new Float64Array(9);
  let x = 0;
  let y = 0;
  for (let i = 0; i < values.length; i += 1) {
    const [across, down] = centres(i);
    const size = Math.abs(values[i]);
    const region = third(down) * 3 + third(across);
    mass[region] += size;
    sums[region] += values[i];
    counts[region] += 1;
    x += size * across;
    y += size * down;
  }
  const safe = total > 0 ? total : 1;
  return {
    centre: [x / safe, y / safe],
    shares: Array.from(mass, (one) => one / safe),
    means: Array.from(sums, (one, i) => (counts[i] > 0 ? one / counts[i] : 0)),
    filled: Array.from(counts, (one) => one > 0),
  };
}

/** Which third of the picture a fraction lies in. */
export function third(fraction) {
  return Math.min(Math.max(Math.floor(fraction * 3), 0), 2);
}
