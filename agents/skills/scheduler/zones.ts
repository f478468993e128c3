/** Time zones as people write them: IANA names, or the city that a zone is named after. */
import { ScheduleError } from "./trouble.ts";

const plain = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").replaceAll("_", " ").toLowerCase();

/** Cities by their names; those that are a word of their own in some language are left to their whole name. */
/** Names that the list of zones does not have, since it has older ones for them. */
const renamed = ["Asia/Ho_Chi_Minh", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Yangon", "Europe/Kyiv"];
let known: ReadonlyMap<string, string> | undefined;
function cities(): ReadonlyMap<string, string> {
  known ??= new Map(
    [...Intl.supportedValuesOf("timeZone"), ...renamed].map(
      (zone) => [plain(zone.slice(zone.lastIndexOf("/") + 1)), zone] as const,
    ),
  );
  return known;
}

/** @param options.only "names": what is certainly meant as a zone, in a text that is about something else. */
export function zoneIn(
  text: string,
  { only }: { readonly only?: "names" } = {},
): { readonly zone: string; readonly found: string } | undefined {
  for (const [found, name = ""] of text.matchAll(/\(?\b([A-Za-z]{2,}(?:\/[A-Za-z_+-]+\d*){1,2})\)?/g)) {
    const zone = zoneOf(name);
    if (zone !== undefined) return { zone, found };
  }
  if (only === "names") return undefined;
  const utc = /(?<!\p{L})(?:UTC|GMT)(?:\s?([+-])(\d{1,2})(?::?(\d\d))?)?(?!\p{L})/iu.exec(text);
  if (utc !== null) {
    const [found, sign, hours = "", minutes = "00"] = utc;
    const zone = sign === undefined ? "UTC" : zoneOf(`${sign}${hours.padStart(2, "0")}:${minutes}`);
    if (zone !== undefined) return { zone, found };
  }
  const words = plain(text).match(/[\p{L}.'-]+/gu) ?? [];
  for (let length = Math.min(3, words.length); length > 0; length -= 1) {
    for (let at = 0; at + length <= words.length; at += 1) {
      const found = words
        .slice(at, at + length)
        .join(" ")
        .replace(/[.'-]+$/, "");
      const zone = cities().get(found);
      if (zone !== undefined) return { zone, found };
    }
  }
  return undefined;
}

function zoneOf(name: string): string | undefined {
  try {
    return zoneNamed(name);
  } catch {
    return undefined; // two words with a slash between them
  }
}

/** The IANA name as it is spelt. @throws ScheduleError */
export function zoneNamed(name: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new ScheduleError("zone", "that is no time zone: use an IANA name such as Europe/Berlin", { cause });
  }
}
