// A region drawn by hand: a stroke is a lasso, single clicks are the corners of a polygon.

const APART = 3;
const CLOSE = 10;
const LEAST = 3;
const MOST = 900;

export class Pen {
  /** act: {draw(corners), finish(corners)}; scale() gives screen pixels for a pixel of the frame. */
  constructor(act, scale) {
    this.act = act;
    this.scale = scale;
    this.stop();
  }

  get on() {
    return this.corners !== null;
  }

  start() {
    this.corners = [];
    this.stroke = null;
    this.act.draw([]);
  }

  stop() {
    this.corners = null;
    this.stroke = null;
  }

  /** Take a step of the pointer: "down", "move" or "up", at a place of the frame. */
  step(name, place) {
    if (!this.on) return;
    if (name === "down") this.stroke = [place];
    else if (name === "move" && this.stroke) this.extend(place);
    else if (name === "up" && this.stroke) this.end(place);
  }

  extend(place) {
    if (this.distance(this.stroke[this.stroke.length - 1], place) < APART) return;
    if (this.corners.length + this.stroke.length >= MOST) return;
    this.stroke.push(place);
    this.act.draw([...this.corners, ...this.stroke]);
  }

  end(place) {
    const { stroke } = this;
    this.stroke = null;
    if (stroke.length > LEAST) {
      this.corners.push(...stroke);
      this.finish();
    } else this.corner(place);
  }

  /** Add a corner; at the first or the last one the region is finished. */
  corner(place) {
    const near = (other) => other && this.distance(other, place) < CLOSE;
    const { corners } = this;
    const ends = near(corners[0]) || near(corners[corners.length - 1]);
    if (corners.length >= LEAST && ends) this.finish();
    else if (!near(corners[corners.length - 1])) {
      corners.push(place);
      this.act.draw([...corners]);
    }
  }

  undo() {
    this.corners.pop();
    this.act.draw([...this.corners]);
  }

  /** End the region; fewer than three corners are none. */
  finish() {
    const { corners } = this;
    this.stop();
    this.act.finish(corners.length >= LEAST ? corners : null);
  }

  distance([x0, y0], [x1, y1]) {
    return Math.hypot(x1 - x0, y1 - y0) * this.scale();
  }
}
