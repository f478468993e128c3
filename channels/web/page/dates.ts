const days = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const years = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const times = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

const midnight = (date: Date): number => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** The day as a person would name it, in the browser's time zone. */
export const dayOf = (date: Date, now: Date = new Date()): string => {
  if (Number.isNaN(date.getTime())) return "Today";
  const ago = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return date.getFullYear() === now.getFullYear() ? days.format(date) : years.format(date);
};

export const timeOf = (date: Date): string => (Number.isNaN(date.getTime()) ? "" : times.format(date));
