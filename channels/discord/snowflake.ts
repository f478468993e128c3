/**
 * Discord's ids: 64 bits as a decimal text, of which the upper 42 are milliseconds since 2015.
 *
 * @see https://discord.com/developers/docs/reference#snowflakes
 */
const epoch = 1_420_070_400_000;

export function isSnowflake(id: unknown): id is string {
  return typeof id === "string" && /^\d{1,20}$/.test(id);
}

/** Milliseconds since 1970; undefined for what is no id of Discord's. */
export function timeOf(id: string): number | undefined {
  return isSnowflake(id) ? Number(BigInt(id) >> 22n) + epoch : undefined;
}

/** The first id that could be given at that time. */
export function idAt(ms: number): string {
  return String(BigInt(Math.max(0, Math.floor(ms) - epoch)) << 22n);
}

/** Ids have different lengths: they compare as numbers. Negative where `a` is the earlier one. */
export function compareIds(a: string, b: string): number {
  return a.length === b.length ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length;
}

export function latestOf(ids: readonly string[]): string | undefined {
  return ids.reduce<string | undefined>((latest, id) => {
    return latest === undefined || compareIds(id, latest) > 0 ? id : latest;
  }, undefined);
}
