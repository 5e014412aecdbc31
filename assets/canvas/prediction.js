// What the network says of the picture, decoded for look-ups by place.

import { decodeBytes } from "./codec.js";
import { toModel } from "./grids.js";

/** A segmentation: the class and the confidence of each model pixel. */
export class Segmentation {
  constructor(prediction, framing) {
    this.prediction = prediction;
    this.framing = framing;
    this.mask = decodeBytes(prediction.mask);
    this.confidence = prediction.confidence ? decodeBytes(prediction.confidence) : null;
  }

  /** Class under a place of the original picture: {index, label, colour, confidence}. */
  at(place) {
    const { rows, columns, classes, colours } = this.prediction;
    const [x, y] = toModel(this.framing, place).map(Math.floor);
    const column = Math.min(Math.max(x, 0), columns - 1);
    const row = Math.min(Math.max(y, 0), rows - 1);
    const index = this.mask[row * columns + column];
    const confidence = this.confidence ? this.confidence[row * columns + column] / 255 : null;
    return { index, label: classes[index] ?? String(index), colour: colours[index], confidence };
  }

  /** The mask as an image of its classes' colours. */
  image() {
    const { rows, columns, colours } = this.prediction;
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    const image = new ImageData(columns, rows);
    const bytes = colours.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
    for (let i = 0; i < this.mask.length; i += 1) {
      image.data.set(bytes[this.mask[i]] ?? [0, 0, 0], 4 * i);
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }
}

/** Decode a prediction where it has something to look up; null for a plain classification. */
export function segmentationOf(prediction, framing) {
  return prediction?.kind === "segment" ? new Segmentation(prediction, framing) : null;
}
