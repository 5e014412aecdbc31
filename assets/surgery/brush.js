// A round brush over the instrument's picture: strokes in pixels of the original.

const APART = 0.3;
const MOST_POINTS = 600;

export class Brush {
  /** stage() is the instrument's; changed(done) hears of every step, `done` when a stroke ends. */
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.strokes = [];
    this.value = 0;
    this.size = 0.08;
    this.erasing = false;
    this.on = false;
    this.cursor = null;
  }

  /** Take the pointer of the picture, or give it back. */
  hold(on) {
    this.on = on;
    this.stroke = null;
    this.cursor = null;
    this.stage()?.handTo(on ? this : null);
  }

  /** Pixels of the original: the brush is a part of the picture's longer side. */
  get radius() {
    const { width, height } = this.stage().picture;
    return (this.size * Math.max(width, height)) / 2;
  }

  down(place, event) {
    if (!place || event.button > 0) return;
    event.preventDefault();
    this.stroke = this.begin(place);
    this.cursor = place;
    this.changed(false);
  }

  move(place) {
    this.cursor = place;
    if (this.stroke && place) this.extend(place);
    this.changed(false);
  }

  up() {
    const drawn = Boolean(this.stroke);
    this.stroke = null;
    if (drawn) this.changed(true);
  }

  leave() {
    this.cursor = null;
    this.up();
    this.changed(false);
  }

  /** A dot at a place, for those who paint with keys. */
  dot(place) {
    this.begin(place);
    this.changed(true);
  }

  begin(place) {
    const stroke = { points: [place], radius: this.radius, value: this.erasing ? null : this.value };
    this.strokes = [...this.strokes, stroke];
    return stroke;
  }

  extend([x, y]) {
    const { points, radius } = this.stroke;
    const [lastX, lastY] = points[points.length - 1];
    if (points.length < MOST_POINTS && Math.hypot(x - lastX, y - lastY) > radius * APART) {
      points.push([x, y]);
    }
  }

  /** Draw what is painted and the brush itself; called by the instrument's stage. */
  draw(context, zoom) {
    drawStrokes(context, this.strokes, zoom);
    if (!this.cursor) return;
    const [x, y] = this.cursor.map((value) => value * zoom);
    for (const [colour, width] of [["rgba(0, 0, 0, 0.7)", 3], ["rgba(255, 255, 255, 0.95)", 1.25]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, Math.max(this.radius * zoom, 2), 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** Draw strokes as a veil: black for 0, white for 1; an eraser takes away what is under it. */
export function drawStrokes(context, strokes, zoom) {
  if (!strokes.length) return;
  const { canvas } = context;
  const veil = document.createElement("canvas");
  veil.width = canvas.width;
  veil.height = canvas.height;
  const pen = veil.getContext("2d");
  pen.setTransform(context.getTransform());
  pen.lineCap = "round";
  pen.lineJoin = "round";
  for (const { points, radius, value } of strokes) {
    const grey = Math.round(255 * (value ?? 0));
    pen.globalCompositeOperation = value === null ? "destination-out" : "source-over";
    pen.strokeStyle = `rgb(${grey}, ${grey}, ${grey})`;
    pen.lineWidth = 2 * radius * zoom;
    pen.beginPath();
    pen.moveTo(...points[0].map((one) => one * zoom));
    // A line to where it begins is a dot under a round brush.
    for (const point of [points[0], ...points.slice(1)]) pen.lineTo(...point.map((v) => v * zoom));
    pen.stroke();
  }
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 0.55;
  context.drawImage(veil, 0, 0);
  context.restore();
}
