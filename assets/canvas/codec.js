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
