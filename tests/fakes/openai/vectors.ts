const size = 96;
/** Words that mean the same here, so that a text is found without any of its words. */
const sameAs: Readonly<Record<string, string>> = {
  vacation: "leave",
  holiday: "leave",
  urlaub: "leave",
  refund: "returns",
};

/** The words of a text as a vector: texts with the same words, or with those that {@link sameAs} holds for the same, are near. */
export function vectorOf(text: string): number[] {
  const vector = Array.from<number>({ length: size }).fill(0);
  for (const found of text.toLowerCase().match(/[\p{L}\p{N}]{4,}/gu) ?? []) {
    const word = sameAs[found] ?? found;
    let hash = 7;
    for (const char of word) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
    vector[hash % size] = (vector[hash % size] ?? 0) + 1;
  }
  return vector.some((one) => one > 0) ? vector : vector.map(() => 1 / size);
}
