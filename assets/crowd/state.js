// What is chosen and what is pointed at in the crowd tab; the chosen part goes into the address.

export const SENSES = ["rgb", "thermal"];
export const LAYERS = ["plain", "density", "row", "gate"];
export const STAGES = 5;
export const VIEWS = ["both", ...SENSES];
const NO_CHANGES = { shift: [0, 0], light: 1, blank: null, noise: null, off: [] };

export function unchanged() {
  return structuredClone(NO_CHANGES);
}

/** Whether changes leave the pair as it is. */
export function leavesAll(changes) {
  return JSON.stringify(normal(changes)) === JSON.stringify(NO_CHANGES);
}

/** Changes in one form: what is off and does nothing is left out. */
export function normal(changes) {
  const noise = changes.noise?.[1] > 0 ? [...changes.noise] : null;
  return { shift: [...changes.shift], light: changes.light, blank: changes.blank, noise,
    off: [...new Set(changes.off)].sort() };
}

export function firstState() {
  return {
    layer: "density", view: "both", over: "both", stage: 2, colormap: "viridis", scale: "row",
    smooth: false, opacity: 0.75, peaks: false, overlay: true,
    pin: null, asked: null, pointer: null, keyboard: false,
    region: null, drawing: null,
    changes: unchanged(), registration: null,
  };
}

export function other(sense) {
  return sense === "rgb" ? "thermal" : "rgb";
}

/** The place that is queried: the pinned one, else the one last pointed at: {sense, at}. */
export function queried(state) {
  return state.pin ?? state.asked;
}

/** The sense that asks at a place: in a single picture, the one that is not on show. */
export function asking(state, place) {
  return state.view === "both" ? place.sense : other(state.view);
}

/** Whether a layer is drawn over the picture of a sense. */
export function drawnOver(state, sense) {
  return state.over === "both" || state.over === sense || state.view !== "both";
}

/** A stand-in for a place while nothing was pointed at: the middle of the frame. */
export function middle(frame, state) {
  return { sense: state.view === "thermal" ? "thermal" : "rgb", at: [frame.width / 2, frame.height / 2] };
}
