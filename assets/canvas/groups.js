// Sites in groups: a block, and under it what belongs to it.

/** Groups of sites in their order: [{head, members}], members being parts of the head's block. */
export function groupsOf(sites) {
  const groups = [];
  const byPath = new Map();
  for (const site of sites) {
    const owner = byPath.get(site.part_of);
    if (owner) owner.members.push(site);
    else groups.push({ head: site, members: [] });
    byPath.set(site.path, owner ?? groups.at(-1));
  }
  return groups;
}

/** Whether a site is what several passes come to together. */
export function isComposed(site) {
  return site.path.endsWith("#composed");
}
