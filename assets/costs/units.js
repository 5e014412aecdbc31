// What costs are counted in.

import { number } from "../canvas/format.js";

const UNITS = {
  multiply_adds: [["G", 1e9], ["M", 1e6], ["k", 1e3], ["", 1]],
  seconds: [["s", 1], ["ms", 1e-3], ["µs", 1e-6]],
  bytes: [["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]],
};
/** What can be shown, in the order of its buttons. */
export const MEASURES = Object.keys(UNITS);

/** Format a cost in the largest unit that leaves at least one of it. */
export function cost(measure, value, digits = 3) {
  const units = UNITS[measure];
  const [unit, size] = units.find(([, one]) => value >= 0.9995 * one) ?? units.at(-1);
  return [number(value / size, digits), unit].filter(Boolean).join(" ");
}

export function power(exponent) {
  return exponent.toFixed(2);
}
