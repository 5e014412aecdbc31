// What was counted, in sentences.

import { percent } from "../canvas/format.js";
import { topIndices } from "../canvas/statistics.js";

const NEARLY_NOBODY = 0.5;
const ALIKE = 0.03;

/** Describe a scene: how many, where most of them are, and which sense was trusted more. */
export function countSentence(scene, say) {
  const { payload } = scene;
  if (payload.density.count < NEARLY_NOBODY) return say("sentence.nobody");
  const parts = [say(`sentence.count_${payload.points}`, { count: payload.density.count.toFixed(0) }),
    where(payload, say), ...trusted(payload, say)];
  return parts.join(say("sentence.join"));
}

/** The ninth of the picture that holds most of the people. */
function where(payload, say) {
  const { ninths, density } = payload;
  const best = topIndices(ninths, 1)[0];
  return say("sentence.most", { region: say(`region.${best}`),
    share: percent(ninths[best] / density.count) });
}

function trusted(payload, say) {
  if (payload.senses.length < 2) return [say(`sentence.alone_${payload.senses[0]}`)];
  if (!payload.gates.length) return [say("sentence.no_gate")];
  const shares = payload.gates.map((gate) => gate.share[1]);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const far = topIndices(shares.map((share) => Math.abs(share - 0.5)), 1)[0];
  const words = { thermal: percent(mean), rgb: percent(1 - mean),
    stage: payload.gates[far].stage + 1, far: percent(Math.max(shares[far], 1 - shares[far])),
    sense: say(`ends.${shares[far] > 0.5 ? "thermal" : "rgb"}`) };
  const sides = Math.abs(mean - 0.5) < ALIKE ? "alike" : mean > 0.5 ? "thermal" : "rgb";
  return [say(`sentence.trust_${sides}`, words), say("sentence.trust_most", words)];
}
