// What is chosen and what is pointed at; the chosen part is the selection that the page keeps.

import { toOriginal } from "./grids.js";
import { isIteration } from "./steps.js";

const SHOWN = { colormap: "viridis", scale: "row", smooth: false, opacity: 0.75 };

/** The state of a fresh payload. */
export function firstState(payload) {
  const state = {
    site: payload.sites[0]?.path ?? null,
    head: 0,
    pin: null,
    channel: null,
    ...SHOWN,
    asked: null,
    pointer: null,
    channelPointed: null,
    rowPointed: null,
    token: null,
    face: null,
    attention: true,
    classes: false,
    keyboard: false,
  };
  return withSelection(state, payload.selection ?? {}, payload);
}

/** A state with the known parts of a selection applied; unknown sites and values are left out. */
export function withSelection(state, selection, payload) {
  const next = { ...state };
  if (payload.sites.some((site) => site.path === selection.site)) next.site = selection.site;
  const { heads } = siteOf(payload, next.site) ?? {};
  if (next.site !== state.site) Object.assign(next, { face: null, token: null });
  if (typeof selection.face === "string") next.face = selection.face;
  if (selection.token !== undefined) next.token = validChannel(selection.token);
  next.head = validHead(selection.head ?? next.head, heads ?? 1);
  if (selection.at !== undefined) next.pin = validPlace(selection.at, payload.picture);
  if (selection.channel !== undefined) next.channel = validChannel(selection.channel);
  if (typeof selection.colormap === "string") next.colormap = selection.colormap;
  if (["row", "fixed"].includes(selection.scale)) next.scale = selection.scale;
  if (typeof selection.smooth === "boolean") next.smooth = selection.smooth;
  if (Number.isFinite(selection.opacity)) {
    next.opacity = Math.min(Math.max(selection.opacity, 0), 1);
  }
  if (next.pin) next.asked = next.pin;
  return next;
}

/** The part of a state that is worth keeping: the selection of the payload. */
export function selectionOf(state) {
  return { site: state.site, head: state.head, at: state.pin?.map((value) => round(value)) ?? null,
    channel: state.channel, token: state.token, face: state.face, colormap: state.colormap,
    scale: state.scale, smooth: state.smooth, opacity: state.opacity };
}

/** The ways in which a site can be shown, first the usual one. */
export function facesOf(site) {
  if (site.view === "rows" && site.maps) return ["rows", "maps"];
  const mixes = site.view === "maps" && site.kind === "assignment" && site.claim === "simplex";
  return mixes && isIteration(site.path) ? ["maps", "rebuilt"] : [site.view];
}

/** The way in which a site is shown. */
export function faceOf(site, state) {
  const faces = facesOf(site);
  return faces.includes(state.face) ? state.face : faces[0];
}

/** The payload's entry of a site. */
export function siteOf(payload, path) {
  return payload.sites.find((site) => site.path === path);
}

/** A head that a site has: its number, or "mean". */
export function validHead(head, heads) {
  if (head === "mean") return heads > 1 ? "mean" : 0;
  return Number.isInteger(head) && head >= 0 && head < heads ? head : 0;
}

function validPlace(at, picture) {
  const known = Array.isArray(at) && at.length === 2 && at.every(Number.isFinite);
  if (!known) return null;
  const [x, y] = at;
  return x >= 0 && y >= 0 && x < picture.width && y < picture.height ? [x, y] : null;
}

function validChannel(channel) {
  return Number.isInteger(channel) && channel >= 0 ? channel : null;
}

function round(value) {
  return Math.round(value * 100) / 100;
}

/** The centre of the picture as the network saw it: where the keyboard starts. */
export function startPlace(payload) {
  const [width, height] = payload.framing.input;
  return toOriginal(payload.framing, [width / 2, height / 2]);
}
