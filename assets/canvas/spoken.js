// A payload brings its words in every language, so that switching asks nobody.

/** Return a payload with the words of one language in the place of those of all, wherever they are. */
export function inLanguage(payload, language) {
  if (Array.isArray(payload)) return payload.map((entry) => inLanguage(entry, language));
  if (payload === null || typeof payload !== "object") return payload;
  if (typeof payload.en === "string") return payload[language] ?? "";
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [name, inLanguage(value, language)]));
}
