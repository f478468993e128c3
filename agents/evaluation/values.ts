/** Whether a value has all that another one has: objects by their names, lists by their places, anything else by being equal. */
export function includes(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return value === wanted;
  if (typeof value !== "object" || value === null || Array.isArray(value) !== Array.isArray(wanted)) return false;
  return Object.entries(wanted).every(
    ([name, one]) => Object.hasOwn(value, name) && includes((value as Record<string, unknown>)[name], one),
  );
}

/** Undefined where there is nothing. @param path names and places with dots between them. */
export function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((of, name) => {
    if (typeof of !== "object" || of === null || !Object.hasOwn(of, name)) return undefined;
    return (of as Record<string, unknown>)[name];
  }, value);
}
