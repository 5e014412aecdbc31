// A payload brings its words in every language, so that switching asks nobody.

/** Return a payload with the words of one language in the place of those of all. */
export function inLanguage(payload, language) {
  const one = (words) => (typeof words === "object" ? words?.[language] ?? "" : words);
  const { network, picture, notes, sites, prediction } = payload;
  return {
    ...payload,
    network: { ...network, title: one(network.title) },
    picture: { ...picture, alt: one(picture.alt) },
    notes: (notes ?? []).map(one),
    sites: sites.map((site) => ({
      ...site,
      title: one(site.title),
      shape: one(site.shape),
      checks: (site.checks ?? []).map((check) =>
        ({ ...check, label: one(check.label), text: one(check.text) })),
    })),
    prediction: prediction && {
      ...prediction,
      ...(prediction.top && {
        top: prediction.top.map((entry) => ({ ...entry, label: one(entry.label) })) }),
      ...(prediction.classes && { classes: prediction.classes.map(one) }),
    },
  };
}
