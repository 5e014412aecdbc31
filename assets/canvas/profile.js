// Values along one side of the picture, drawn as bars from its edge in the colours of the bands.

import { colourTable, position } from "./colours.js";

const SHARE = 0.12;
const LEAST = 36;
const MOST = 88;
const GROUND = "rgba(10, 10, 12, 0.62)";

/**
 * Draw the profile of a frame: along the left edge where its axis is the height, else along the
 * bottom. box = the grid's on screen; view = {width, height, table} of the picture's box.
 */
export function drawProfile(context, frame, box, { width, height, table }) {
  const { axis, values, pointed } = frame.profile;
  const upright = axis === "height";
  const deep = Math.min(Math.max((upright ? width : height) * SHARE, LEAST), MOST);
  const [from, long] = upright ? [box[1], box[3]] : [box[0], box[2]];
  const step = long / values.length;
  // Both edges are drawn by the same steps: along the edge, and away from it.
  const rect = (along, away, length, reach) => (upright
    ? context.fillRect(away, along, reach, length)
    : context.fillRect(along, height - away - reach, length, reach));
  context.fillStyle = GROUND;
  rect(0, 0, upright ? height : width, deep);
  const colours = colourTable(table, frame.scale, 1);
  const zero = frame.scale.signed ? 0.5 : 0;
  const room = deep - 6;
  const gap = step > 5 ? 1 : 0;
  values.forEach((value, i) => {
    const where = position(frame.scale, value);
    const at = 4 * Math.round(where * 255);
    context.fillStyle = i === pointed ? "#fff"
      : `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})`;
    const [low, high] = where < zero ? [where, zero] : [zero, where];
    rect(from + i * step, low * room, Math.max(step - gap, 0.75), Math.max((high - low) * room, 1));
  });
  context.fillStyle = "rgba(255, 255, 255, 0.5)";
  rect(0, zero * room, upright ? height : width, 1);
}
