// Products of a line of numbers with many lines, by vector instructions where a browser has them.

/** products.wat, assembled. */
const CODE = [
  "AGFzbQEAAAABCQFgBX9/f39/AAISAQZjYW52YXMGbWVtb3J5AgABAwIBAAcMAQhwcm9kdWN0cwAACsUBAcIBAgF/AnsC",
  "QANAIARFDQH9DAAAAAAAAAAAAAAAAAAAAAAhBv0MAAAAAAAAAAAAAAAAAAAAACEHQQAhBQNAIAYgACAFav0ABAAgASAF",
  "av0ABAD95gH95AEhBiAHIAAgBWr9AAQQIAEgBWr9AAQQ/eYB/eQBIQcgBUEgaiEFIAUgA0kNAAsgBiAH/eQBIQYgAiAG",
  "/R8AIAb9HwGSIAb9HwIgBv0fA5KSOAIAIAEgA2ohASACQQRqIQIgBEEBayEEDAALCwsASgRuYW1lAi0BAAgABGxpbmUB",
  "BXRhYmxlAgRzdW1zAwVieXRlcwQFY291bnQFAWsGAWEHAWIDFAEAAwAEZG9uZQEDcm93AgRuZXh0",
].join("");
const PAGE = 65536;
const LANES = 8;
let assembled;

/** The module, assembled when it is first needed; null where a browser cannot. */
function assembledModule() {
  if (assembled === undefined) {
    try {
      assembled = new WebAssembly.Module(Uint8Array.from(atob(CODE), (one) => one.charCodeAt(0)));
    } catch {
      assembled = null;
    }
  }
  return assembled;
}

/** Tables of `count` lines of `length` numbers, all 0 at first, and a line that is multiplied. */
export class Products {
  constructor(tables, count, length, vectors = true) {
    this.length = Math.ceil(length / LANES) * LANES;
    this.size = count * this.length;
    this.count = count;
    const sizes = [this.length, Math.ceil(count / LANES) * LANES, tables * this.size];
    const buffer = (vectors && this.vectors(sizes)) || new ArrayBuffer(4 * total(sizes));
    [this.line, this.sums, this.table] = sizes.map((size, i) =>
      new Float32Array(buffer, 4 * total(sizes.slice(0, i)), size));
  }

  /** Memory that vector instructions reach, or null. */
  vectors(sizes) {
    const code = assembledModule();
    if (!code) return null;
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * total(sizes)) / PAGE) });
      this.run = new WebAssembly.Instance(code, { canvas: { memory } }).exports.products;
      return memory.buffer;
    } catch {
      return null;
    }
  }

  /** Where number `at` of a line of a table stands. */
  place(table, line, at) {
    return table * this.size + line * this.length + at;
  }

  /** Products of `line` with the lines of a table: they stand in `sums` until the next call. */
  of(table) {
    const { line, sums, count, length } = this;
    const first = table * this.size;
    if (this.run) {
      const from = this.table.byteOffset + 4 * first;
      this.run(line.byteOffset, from, sums.byteOffset, 4 * length, count);
    } else {
      for (let j = 0; j < count; j += 1) sums[j] = product(line, this.table, first + j * length);
    }
    return sums;
  }
}

function total(sizes) {
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** One product: four running sums hide the latency of each addition. */
function product(line, table, at) {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < line.length; k += 4) {
    a += line[k] * table[at + k];
    b += line[k + 1] * table[at + k + 1];
    c += line[k + 2] * table[at + k + 2];
    d += line[k + 3] * table[at + k + 3];
  }
  return a + b + c + d;
}
