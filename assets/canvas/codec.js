// Base64 of the payload to typed arrays.

/** Decode base64 to bytes. */
export function decodeBytes(text) {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Decode base64 of little-endian float32; what is not finite becomes 0, so nothing draws NaN. */
export function decodeFloats(text) {
  const bytes = decodeBytes(text);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) values[i] = 0;
  return values;
}

/** Decode keys, {bytes: 2 or 4, values}, as little-endian integers; -1 of two bytes is 65535. */
export function decodeKeys({ bytes: width, values }) {
  const { buffer, byteOffset, byteLength } = decodeBytes(values);
  return width === 2 ? new Uint16Array(buffer, byteOffset, byteLength >> 1)
    : new Int32Array(buffer, byteOffset, byteLength >> 2);
}

/** Decode lines of float16, each times a factor: {halves, factors}. */
export function decodeLines({ halves: packed, factors }) {
  const { buffer, byteOffset, byteLength } = decodeBytes(packed);
  const values = decodeHalves(buffer, byteOffset, byteLength >> 1);
  const scales = decodeFloats(factors);
  const length = values.length / scales.length;
  scales.forEach((factor, line) => {
    for (let at = line * length; at < (line + 1) * length; at += 1) values[at] *= factor;
  });
  return values;
}

let halves = null;

/** Decode little-endian float16 bytes to float32. */
export function decodeHalves(buffer, from = 0, count = (buffer.byteLength - from) >> 1) {
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => halfValue(bits));
  const packed = new Uint16Array(buffer, from, count);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) values[i] = halves[packed[i]];
  return values;
}

/** The value of a float16; what is not finite becomes 0, so nothing draws NaN. */
function halfValue(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return 0;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
