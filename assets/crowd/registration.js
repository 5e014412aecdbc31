// Where the thermal picture lies under the RGB one: thermal = RGB x scale + offset.
// A registration is [scale x, scale y, offset x, offset y]; a nudge moves and enlarges what is seen.

export const STILL = { x: 0, y: 0, zoom: 1 };

/** Both pictures cover the same view. */
export function fitted(rgb, thermal) {
  return [thermal.width / rgb.width, thermal.height / rgb.height, 0, 0];
}

/**
 * Move the thermal picture by (x, y) pixels of the RGB picture and enlarge it by `zoom` about the
 * centre of the RGB picture.
 */
export function nudged([scaleX, scaleY, offsetX, offsetY], { x, y, zoom }, rgb) {
  const move = (scale, offset, shift, centre) => [scale / zoom,
    offset + scale * (centre - (centre + shift) / zoom)];
  const [sx, dx] = move(scaleX, offsetX, x, rgb.width / 2);
  const [sy, dy] = move(scaleY, offsetY, y, rgb.height / 2);
  return [sx, sy, dx, dy];
}

/** The nudge that makes one registration of another, as far as one zoom for both axes can. */
export function nudgeBetween(from, to, rgb) {
  const zoom = Math.sqrt((from[0] / to[0]) * (from[1] / to[1]));
  const shift = (axis, side) => zoom * (side / 2 - (to[2 + axis] - from[2 + axis]) / from[axis])
    - side / 2;
  return { x: shift(0, rgb.width), y: shift(1, rgb.height), zoom };
}

/** The registration that becomes the given one by a nudge. */
export function unnudged([scaleX, scaleY, offsetX, offsetY], { x, y, zoom }, rgb) {
  const move = (scale, offset, shift, centre) => [scale * zoom,
    offset - scale * zoom * (centre - (centre + shift) / zoom)];
  const [sx, dx] = move(scaleX, offsetX, x, rgb.width / 2);
  const [sy, dy] = move(scaleY, offsetY, y, rgb.height / 2);
  return [sx, sy, dx, dy];
}

/** Box of the thermal picture in pixels of the RGB picture: [left, top, width, height]. */
export function boxOf([scaleX, scaleY, offsetX, offsetY], thermal) {
  return [-offsetX / scaleX, -offsetY / scaleY, thermal.width / scaleX, thermal.height / scaleY];
}
