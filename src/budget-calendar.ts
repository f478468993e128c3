/** Days and months of a time zone, by their names: "2026-11-26" and "2026-11". */

const dayMs = 86_400_000;

export interface Calendar {
  /** The day on which it is then. */
  dayOf(at: number): string;
}

/** @throws RangeError for a time zone that is none. */
export function createCalendar(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  let known = { from: 1, to: 0, day: "" };
  return {
    dayOf(at) {
      if (at >= known.from && at < known.to) return known.day;
      const day = format.format(at);
      // No zone's days change but at a whole quarter of an hour.
      const from = Math.floor(at / 900_000) * 900_000;
      known = { from, to: from + 900_000, day };
      return day;
    },
  };
}

export function monthOf(day: string): string {
  return day.slice(0, 7);
}

/** So many days before it. */
export function dayBefore(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - days * dayMs).toISOString().slice(0, 10);
}

/** The days of its month before it, the latest first. */
export function earlierInMonth(day: string): string[] {
  const count = Number(day.slice(8)) - 1;
  return Array.from({ length: count }, (_, n) => dayBefore(day, n + 1));
}
