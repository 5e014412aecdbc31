// Small helpers to build elements; nothing here knows of attention.

const SVG = "http://www.w3.org/2000/svg";

/** Build an element: attributes by name, "on..." as listeners, null attributes left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Build an SVG element the same way. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A tick or a cross as a drawn mark, so that passing is not told by colour alone. */
export function mark(passed) {
  const path = passed ? "M3 8.5 6.5 12 13 4.5" : "M4 4l8 8M12 4l-8 8";
  return svg(
    "svg",
    { class: `va-mark ${passed ? "va-passed" : "va-failed"}`, viewBox: "0 0 16 16",
      "aria-hidden": "true" },
    svg("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": "2",
      "stroke-linecap": "round", "stroke-linejoin": "round" }),
  );
}

/** Give a canvas the pixels of its box on this screen; return its context and the pixel ratio. */
export function sharpen(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const across = Math.max(1, Math.round(width * ratio));
  const down = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, across, down);
  return { context, ratio };
}

/** Return a function that runs `action` once calls have stopped for some milliseconds. */
export function debounced(action, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
