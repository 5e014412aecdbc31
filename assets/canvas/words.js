// Maps described in words.

import { number, percent } from "./format.js";
import { describeRow, extent, halfMass, spread, topIndices } from "./statistics.js";

const NEARLY_EVEN = 0.97;
const NEAR = 0.12;

/** Name of one of the nine regions of the picture (row-major). */
function region(index, say) {
  return say(`region.${index}`);
}

/** Describe the row of a place: where its mass lies, how far, how concentrated. */
export function placeSentence(row, centres, place, picture, signed, say) {
  const facts = describeRow(row);
  if (facts.effective === 0) return say("sentence.zero");
  const lies = spread(row, centres);
  const best = topIndices(lies.shares, 1)[0];
  const distance = Math.hypot(
    lies.centre[0] * picture.width - place[0], lies.centre[1] * picture.height - place[1],
  ) / Math.hypot(picture.width, picture.height);
  const held = halfMass(row);
  const parts = [
    facts.evenness > NEARLY_EVEN
      ? say("sentence.even", { share: percent(facts.evenness) })
      : say("sentence.where", { region: region(best, say), share: percent(lies.shares[best]) }),
    say(distance < NEAR ? "sentence.near" : "sentence.far", { distance: percent(distance) }),
    say("sentence.half", { cells: held, total: row.length, share: percent(held / row.length),
      effective: number(facts.effective) }),
  ];
  if (signed) parts.push(signedPart(row, say));
  return parts.join(say("sentence.join"));
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

/** Describe a channel gate: how many channels are open and closed, and the range. */
export function gateSentence(values, say) {
  const [low, high] = extent(values);
  const count = (test) => values.filter(test).length;
  return [
    say("sentence.gate_channels", { total: values.length, open: count((value) => value > 0.9),
      closed: count((value) => value < 0.1) }),
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
