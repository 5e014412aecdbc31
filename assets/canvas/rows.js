// The exact row of an affinity from its factors: normaliser(scale * q_i . k_j), all in float32.

/** Turn logits into weights that are positive and sum to 1, in place. */
export function softmax(row) {
  let maximum = -Infinity;
  for (let j = 0; j < row.length; j += 1) if (row[j] > maximum) maximum = row[j];
  let sum = 0;
  for (let j = 0; j < row.length; j += 1) {
    const weight = Math.exp(row[j] - maximum);
    row[j] = weight;
    sum += weight;
  }
  multiply(row, 1 / sum);
}

/** What turns the logits of a row into weights, in place. */
const NORMALISERS = {
  softmax,
  mean(row) {
    multiply(row, 1 / row.length);
  },
  none() {},
  relu_mean(row) {
    for (let j = 0; j < row.length; j += 1) if (row[j] < 0) row[j] = 0;
    multiply(row, 1 / row.length);
  },
};

function multiply(row, factor) {
  for (let j = 0; j < row.length; j += 1) row[j] *= factor;
}

let asked = new Float64Array(64);

/**
 * Products of one query with keys that stand `step` numbers apart, times the scale. The loop is
 * written for speed: the query is turned to float64 once, and serves four keys at a time.
 */
export function logits(query, key, { from, keyFrom, step, dim, scale }, out) {
  if (asked.length < dim) asked = new Float64Array(dim);
  for (let k = 0; k < dim; k += 1) asked[k] = scale * query[from + k];
  const whole = out.length - (out.length % 4);
  let first = keyFrom;
  for (let j = 0; j < whole; j += 4, first += 4 * step) {
    const second = first + step;
    const third = second + step;
    const fourth = third + step;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let k = 0; k < dim; k += 1) {
      const x = asked[k];
      a += x * key[first + k];
      b += x * key[second + k];
      c += x * key[third + k];
      d += x * key[fourth + k];
    }
    out[j] = a;
    out[j + 1] = b;
    out[j + 2] = c;
    out[j + 3] = d;
  }
  for (let j = whole; j < out.length; j += 1, first += step) {
    let sum = 0;
    for (let k = 0; k < dim; k += 1) sum += asked[k] * key[first + k];
    out[j] = sum;
  }
}

/**
 * Write the row of one head into `out`.
 * factors: {query (head, query, dim), key (head, key, dim), dim, scale, normaliser, queries, keys}
 */
export function headRow(factors, head, index, out) {
  const { query, key, dim, scale, normaliser, queries, keys } = factors;
  const from = (head * queries + index) * dim;
  logits(query, key, { from, keyFrom: head * keys * dim, step: dim, dim, scale }, out);
  NORMALISERS[normaliser](out);
  return out;
}

/** Normalisers that take sums to sums, so that rows can be mixed before they are computed. */
const LINEAR = new Set(["mean", "none"]);

/**
 * Add weights (query) times the rows of one head to `out`. Where the normaliser lets it be, the
 * queries are mixed first: one row's work for all of them.
 */
export function pushRows(factors, head, weights, out) {
  const { query, dim, queries, normaliser } = factors;
  const row = new Float32Array(out.length);
  if (!LINEAR.has(normaliser)) {
    for (let index = 0; index < weights.length; index += 1) {
      if (weights[index] === 0) continue;
      headRow(factors, head, index, row);
      for (let j = 0; j < out.length; j += 1) out[j] += weights[index] * row[j];
    }
    return;
  }
  const mixed = new Float32Array(dim);
  for (let index = 0, at = head * queries * dim; index < queries; index += 1, at += dim) {
    const weight = weights[index];
    if (weight === 0) continue;
    for (let k = 0; k < dim; k += 1) mixed[k] += weight * query[at + k];
  }
  const { key, scale, keys } = factors;
  logits(mixed, key, { from: 0, keyFrom: head * keys * dim, step: dim, dim, scale }, row);
  NORMALISERS[normaliser](row);
  for (let j = 0; j < out.length; j += 1) out[j] += row[j];
}

/**
 * Time rows of random factors with `tokens` places and `dim` channels, softmax, one head.
 * Returns the median milliseconds of a row, and of the full matrix: measured whole where it has
 * at most 4096 rows, else estimated from `repeats` rows spread over it.
 */
export function benchmarkRow(tokens, dim, repeats = 50) {
  const random = () => Float32Array.from({ length: tokens * dim }, () => Math.random() * 2 - 1);
  const factors = { query: random(), key: random(), dim, scale: dim ** -0.5,
    normaliser: "softmax", queries: tokens, keys: tokens };
  const out = new Float32Array(tokens);
  const timed = (index) => {
    const start = performance.now();
    headRow(factors, 0, index, out);
    return performance.now() - start;
  };
  for (let warm = 0; warm < 20; warm += 1) timed(warm % tokens);
  const stride = Math.max(1, Math.floor(tokens / repeats));
  const times = Array.from({ length: repeats }, (_, i) => timed((i * stride) % tokens));
  const row = median(times);
  const whole = tokens <= 4096;
  return { tokens, dim, repeats, row, matrix: whole ? matrixTime(factors, out) : mean(times) * tokens,
    measured: whole };
}

function matrixTime(factors, out) {
  const start = performance.now();
  for (let index = 0; index < factors.queries; index += 1) headRow(factors, 0, index, out);
  return performance.now() - start;
}

/** The value in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
