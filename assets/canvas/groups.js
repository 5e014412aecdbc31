// Sites in groups: a block, and under it what belongs to it.

const CLASS_MAP = "class_map";

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

/** Families of groups, each in a row of its own: attention, and maps that are made for a class. */
export function familiesOf(groups) {
  const made = groups.filter(({ head }) => head.view === CLASS_MAP);
  const found = groups.filter(({ head }) => head.view !== CLASS_MAP);
  return [["attention", found], ["maps", made]].filter(([, own]) => own.length > 0);
}

/** Whether a site is what several passes come to together. */
export function isComposed(site) {
  return site.path.endsWith("#composed");
}
