// How long a move of the pointer takes, from the place to everything that is drawn for it.

import { mount } from "../canvas.js";
import { median } from "./rows.js";

const WARM = 10;

/**
 * Mount the instrument and move all over the picture, a move a frame. Returns milliseconds: of what
 * is done in a frame for a move (the median, and the least), of the row alone, and of the first row,
 * which opens what was sent.
 */
export async function benchmarkMoves(options, moves) {
  const place = document.createElement("div");
  document.body.replaceChildren(place);
  const instrument = mount(place, options);
  const { width, height } = options.payload.picture;
  const places = Array.from({ length: WARM + moves }, () =>
    [Math.random() * width, Math.random() * height]);
  const first = timed(() => instrument.site.row({ ...instrument.state, asked: places[0] }));
  const frames = timedDrawing(instrument.desk);
  for (const at of places) {
    instrument.point(at);
    await nextFrame();
  }
  const { rows } = instrument.site;
  const alone = places.map((_, i) =>
    timed(() => rows.row(0, Math.floor((i * rows.queries) / places.length))));
  instrument.destroy();
  const taken = frames.slice(-moves);
  return { first, move: median(taken), least: Math.min(...taken), row: median(alone.slice(WARM)) };
}

/** Time everything that a desk draws from now on. */
function timedDrawing(desk) {
  const times = [];
  const draw = desk.draw.bind(desk);
  desk.draw = (...asked) => times.push(timed(() => draw(...asked)));
  return times;
}

function nextFrame() {
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
}

function timed(action) {
  const start = performance.now();
  action();
  return performance.now() - start;
}
