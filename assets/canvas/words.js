// Maps described in words.

import { number, percent } from "./format.js";
import { describeRow, extent, halfMass, spread, topIndices } from "./statistics.js";

const NEARLY_EVEN = 0.97;
const NEAR = 0.12;
const LOST = 1e-3;

/** Name of one of the nine regions of the picture (row-major). */
function region(index, say) {
  return say(`region.${index}`);
}

/**
 * Describe the row of a place: where its mass lies, how far, how concentrated.
 * view: {row (key), map (cell), centres(cell), picture, signed, simplex, areas, heard, tokens}
 */
export function placeSentence(view, place, say) {
  const facts = describeRow(view.row);
  if (facts.effective === 0) return say("sentence.zero");
  const { picture } = view;
  const lies = spread(view.map, view.centres);
  const distance = Math.hypot(
    lies.centre[0] * picture.width - place[0], lies.centre[1] * picture.height - place[1],
  ) / Math.hypot(picture.width, picture.height);
  return [
    ...tokenPart(view, say),
    wherePart(view, facts, lies, say),
    say(distance < NEAR ? "sentence.near" : "sentence.far", { distance: percent(distance) }),
    ...concentration(view, facts, say),
    ...outsidePart(view, facts, say),
  ].join(say("sentence.join"));
}

/** Describe the row of a token that is no place. */
export function rowSentence(view, token, say) {
  const facts = describeRow(view.row);
  if (facts.effective === 0) return say("sentence.zero");
  return [
    say("sentence.token_row", { token }),
    ...tokenPart(view, say),
    wherePart(view, facts, spread(view.map, view.centres), say),
    ...concentration(view, facts, say),
    ...outsidePart(view, facts, say),
  ].join(say("sentence.join"));
}

function wherePart({ row, heard }, facts, lies, say) {
  const most = Math.log(heard ?? row.length);
  const evenness = most > 0 ? facts.entropy / most : 0;
  if (evenness > NEARLY_EVEN) {
    return say(heard === null ? "sentence.even" : "sentence.even_heard",
      { share: percent(evenness), count: heard });
  }
  const best = topIndices(lies.shares, 1)[0];
  return say("sentence.where", { region: region(best, say), share: percent(lies.shares[best]) });
}

/** What the tokens that are no places take of the row: one sentence, however many there are. */
function tokenPart({ row, tokens }, say) {
  const shares = tokens.map((token, i) => say("sentence.token",
    { token, weight: number(row[i], 2) }));
  return shares.length ? [say("sentence.tokens", { shares: shares.join(say("sentence.and")) })] : [];
}

/** What goes to the zeros with which a network surrounds its map. */
function outsidePart({ simplex }, facts, say) {
  const lost = 1 - facts.sum;
  return simplex && lost > LOST ? [say("sentence.outside", { share: percent(lost) })] : [];
}

function concentration({ row, heard, areas, signed }, facts, say) {
  const held = halfMass(row);
  const total = heard ?? row.length;
  return [
    say(areas ? "sentence.half_areas" : "sentence.half", { cells: held, total,
      share: percent(held / total), effective: number(facts.effective) }),
    ...(signed ? [signedPart(row, say)] : []),
  ];
}

function signedPart(row, say) {
  const negative = row.filter((value) => value < 0).length / row.length;
  return say("sentence.signed", { share: percent(negative) });
}

/** Describe a spatial gate: where it is open and where closed. */
export function spatialSentence(values, [low, high], centres, say) {
  const { means, filled } = spread(values, centres);
  const present = means.map((_, i) => i).filter((i) => filled[i]);
  const open = present.reduce((best, i) => (means[i] > means[best] ? i : best), present[0]);
  const shut = present.reduce((best, i) => (means[i] < means[best] ? i : best), present[0]);
  const share = (test) => percent(values.filter(test).length / values.length);
  return [
    say("sentence.gate_regions", { open: region(open, say), most: number(means[open], 2),
      shut: region(shut, say), least: number(means[shut], 2) }),
    say("sentence.gate_places", { low: number(low, 2), high: number(high, 2),
      open: share((value) => value > 0.9), closed: share((value) => value < 0.1) }),
  ].join(say("sentence.join"));
}

/**
 * Describe one of several maps: where it is large and where small; best = {name, value} is the
 * largest of all maps at the pinned place, or null.
 */
export function mapSentence(values, centres, name, best, say) {
  const { means, filled } = spread(values, centres);
  const present = means.map((_, i) => i).filter((i) => filled[i]);
  const most = present.reduce((found, i) => (means[i] > means[found] ? i : found), present[0]);
  const least = present.reduce((found, i) => (means[i] < means[found] ? i : found), present[0]);
  const [low, high] = extent(values);
  return [
    say("sentence.map", { name, most: region(most, say), high: number(means[most], 2),
      least: region(least, say), low: number(means[least], 2) }),
    say("sentence.map_range", { low: number(low, 2), high: number(high, 2) }),
    ...(best ? [say("sentence.map_here", { name: best.name, value: number(best.value, 2) })] : []),
  ].join(say("sentence.join"));
}

/** Describe values along the height or the width: where they are largest and smallest. */
export function edgeSentence(values, axis, name, say) {
  const [most] = topIndices(values, 1);
  const [least] = topIndices(values.map((value) => -value), 1);
  const at = (index) => percent((index + 0.5) / values.length);
  return say(`sentence.edge_${axis}`, { name, most: at(most), high: number(values[most], 2),
    least: at(least), low: number(values[least], 2) });
}

/** Describe a row of a table: its largest entry and how few hold half of it. */
export function tableSentence(row, name, best, value, say) {
  if (value === 0) return say("sentence.table_zero", { row: name });
  const held = halfMass(row);
  return [
    say("sentence.table", { row: name, column: best, value: number(value, 2) }),
    say("sentence.table_half", { count: held, total: row.length,
      effective: number(describeRow(row).effective) }),
  ].join(say("sentence.join"));
}

/** Describe named values: the first two, and how few hold half of them. */
export function barsSentence(values, order, names, say) {
  const words = { first: names[0], most: number(values[order[0]], 2), second: names[1],
    next: number(values[order[1]] ?? 0, 2) };
  return [
    say(names.length > 1 ? "sentence.named" : "sentence.named_one", words),
    say("sentence.table_half", { count: halfMass(values), total: values.length,
      effective: number(describeRow(values).effective) }),
  ].join(say("sentence.join"));
}

/** Describe a channel gate: the range, and of one within 0..1 how many channels pass. */
export function gateSentence(values, unit, say) {
  const [low, high] = extent(values);
  const count = (test) => values.filter(test).length;
  return [
    ...(unit ? [say("sentence.gate_channels", { total: values.length,
      open: count((value) => value > 0.9), closed: count((value) => value < 0.1) })] : []),
    say("sentence.gate_range", { low: number(low, 2), high: number(high, 2),
      channel: topIndices(values, 1)[0] }),
  ].join(say("sentence.join"));
}

/** Describe the row of a channel over all channels. */
export function channelRowSentence(row, query, say) {
  const best = topIndices(row, 1)[0];
  const held = halfMass(row);
  return [
    say(best === query ? "sentence.channel_self" : "sentence.channel_best",
      { query, key: best, weight: number(row[best], 2) }),
    say("sentence.channel_half", { cells: held, total: row.length,
      effective: number(describeRow(row).effective) }),
  ].join(say("sentence.join"));
}
