// What the address bar keeps of the crowd tab, so that a view can be sent to somebody.

import { LAYERS, SENSES, STAGES, VIEWS, firstState, leavesAll, normal, unchanged } from "./state.js";

export const TAB = "crowd";
/** The parts of an address that are this tab's alone. */
export const OWN = ["tab", "pair", "layer", "stage", "view", "over", "from", "shift", "light",
  "blank", "noise", "off", "align", "region"];

const usual = firstState();
const numbers = (text, count) => {
  const found = text.split(",").map(Number);
  if (!found.every(Number.isFinite) || (count && found.length !== count)) throw new Error(text);
  return found;
};
const oneOf = (list) => (text) => {
  if (!list.includes(text)) throw new Error(text);
  return text;
};
const within = (low, high) => (text) => {
  const value = Number(text);
  if (!(value >= low && value <= high)) throw new Error(text);
  return value;
};

/** How each part of a state is read from an address. */
const READERS = {
  layer: (text) => ({ layer: oneOf(LAYERS)(text) }),
  stage: (text) => ({ stage: Math.round(within(1, STAGES)(text)) - 1 }),
  view: (text) => ({ view: oneOf(VIEWS)(text) }),
  over: (text) => ({ over: oneOf(VIEWS)(text) }),
  colormap: (text) => ({ colormap: oneOf(["viridis", "magma", "cividis", "inferno"])(text) }),
  at: (text) => ({ at: numbers(text, 2) }),
  from: (text) => ({ from: oneOf(SENSES)(text) }),
  align: (text) => ({ registration: numbers(text, 4) }),
  region: (text) => ({ region: corners(numbers(text)) }),
};

const CHANGES = {
  shift: (text) => ({ shift: numbers(text, 2) }),
  light: (text) => ({ light: within(0, 2)(text) }),
  blank: (text) => ({ blank: oneOf(SENSES)(text) }),
  noise: (text) => noiseOf(text),
  off: (text) => ({ off: numbers(text).map((stage) => within(1, STAGES)(stage) - 1) }),
};

function noiseOf(text) {
  const [sense, deviation] = text.split(",");
  return { noise: [oneOf(SENSES)(sense), within(0, 255)(deviation)] };
}

function corners(values) {
  if (values.length < 6 || values.length % 2) throw new Error(values.join());
  return Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i], values[2 * i + 1]]);
}

/**
 * The view that an address names: {pair, network, state, wrong}, where wrong is the first part
 * that could not be read, or null.
 */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const found = { pair: null, network: null, state: {}, wrong: null };
  if (query.get("tab") !== TAB) return found;
  found.pair = query.get("pair");
  found.network = query.get("network");
  const changes = unchanged();
  const read = (readers, into) => {
    for (const [name, reader] of Object.entries(readers)) {
      const text = query.get(name);
      if (!text) continue;
      try {
        Object.assign(into, reader(text));
      } catch {
        found.wrong ??= `${name}=${text}`.slice(0, 60);
      }
    }
  };
  read(READERS, found.state);
  read(CHANGES, changes);
  const { at, from, ...rest } = found.state;
  found.state = { ...rest, changes: normal(changes) };
  if (at) found.state.pin = { at, sense: from ?? "rgb" };
  return found;
}

/** The address of a view; of a visitor's own pictures it names only how they are looked at. */
export function addressOf({ pair, network, state, registration, language }) {
  const url = new URL(window.location.href);
  const place = state.pin;
  const { changes } = state;
  const altered = !leavesAll(changes);
  const short = (values) => values.map((value) => +Number(value).toPrecision(6)).join(",");
  const known = {
    tab: TAB, pair, network,
    layer: differs(state, "layer"), view: differs(state, "view"), over: differs(state, "over"),
    stage: ["row", "gate"].includes(state.layer) ? state.stage + 1 : null,
    colormap: differs(state, "colormap"),
    at: pair && place ? place.at.map((value) => Math.round(value * 10) / 10).join(",") : null,
    from: pair && place ? place.sense : null,
    shift: altered && changes.shift.some(Boolean) ? short(changes.shift) : null,
    light: changes.light === 1 ? null : changes.light,
    blank: changes.blank,
    noise: changes.noise && changes.noise.join(","),
    off: changes.off.length ? changes.off.map((stage) => stage + 1).join(",") : null,
    align: pair && registration ? short(registration) : null,
    region: pair && state.region ? short(state.region.flat().map(Math.round)) : null,
    lang: language,
  };
  for (const name of ["example", "site", "head", "channel"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(known)) {
    if (value === null || value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  url.search = decodeURIComponent(url.search);
  return url;
}

function differs(state, name) {
  return state[name] === usual[name] ? null : state[name];
}
