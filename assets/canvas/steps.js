// Steps of one block: what it held after each iteration, or each time that it fired.

const ITERATION = /(^|\.)steps\.(\d+)(?=\.|$)/;
const FIRING = /#(\d+)$/;

/**
 * Find the series among sites: by path, {paths in order, index}. Sites are steps of one thing where
 * their paths differ in nothing but the step, and are shown alike.
 */
export function seriesOf(sites) {
  const found = new Map();
  for (const site of sites) {
    const name = `${site.view} ${seriesName(site.path)}`;
    found.set(name, [...(found.get(name) ?? []), site.path]);
  }
  const series = new Map();
  for (const paths of found.values()) {
    if (paths.length < 2) continue;
    const ordered = [...paths].sort((a, b) => stepOf(a) - stepOf(b));
    ordered.forEach((path, index) => series.set(path, { paths: ordered, index }));
  }
  return series;
}

/** Whether a path is that of one iteration of its block. */
export function isIteration(path) {
  return ITERATION.test(path);
}

function seriesName(path) {
  return ITERATION.test(path) ? path.replace(ITERATION, "$1steps.*") : path.replace(FIRING, "");
}

/** The number of a step; a block's first firing has none in its path. */
function stepOf(path) {
  return Number(path.match(ITERATION)?.[2] ?? path.match(FIRING)?.[1] ?? 0);
}
