import { describe, expect, it } from "vitest";
import { nextOf, scheduleOf, type Wish } from "../../../agents/skills/scheduler/schedule.ts";
import { ScheduleError } from "../../../agents/skills/scheduler/trouble.ts";
import { zoneIn } from "../../../agents/skills/scheduler/zones.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Clocks that jump by an hour, by half of one, at midnight, around Ramadan, in either half of the year, and never. */
const zones = [
  "Europe/Berlin",
  "America/New_York",
  "America/Santiago",
  "America/Havana",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "Africa/Casablanca",
  "Africa/Cairo",
  "Asia/Beirut",
  "Atlantic/Azores",
  "Asia/Kolkata",
];

/** What the wall clock shows, as milliseconds of a clock that never jumps. From Intl alone: it checks what is made with Temporal. */
function wallOf(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(
      parts["year"] ?? 0,
      (parts["month"] ?? 1) - 1,
      parts["day"],
      parts["hour"],
      parts["minute"],
      parts["second"],
    );
  };
}

/** The moment of that wall clock: the first one where it is shown twice, and as much later as the clock jumps where it is not shown. */
function momentOf(wall: number, clock: (at: number) => number): number {
  const offsets = [wall - day, wall + day].map((at) => clock(at) - at);
  const shown = offsets.map((offset) => wall - offset).filter((at) => clock(at) === wall);
  return shown.length === 0 ? wall - (offsets[0] ?? 0) : Math.min(...shown);
}

/** Numbers from 0 to 1, the same ones for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const iso = (wall: number) => new Date(wall).toISOString().slice(0, 19);
const from = Date.UTC(2026, 10, 26, 14, 30);

describe.each(zones)("a year of days in %s", (zone) => {
  const clock = wallOf(zone);
  const random = randomOf(zone.length * 7_919);
  const hours = [
    0,
    0.5,
    1,
    1.5,
    2,
    2.25,
    2.5,
    3,
    9,
    23.5,
    ...Array.from({ length: 6 }, () => Math.floor(random() * 1_440) / 60),
  ];

  it.each(hours)("comes at %s hours of each day's wall clock, whenever one looks", (at) => {
    const first = Math.floor(from / day) * day + 2 * day + Math.round(at * 60) * minute;
    const schedule = scheduleOf({ rule: "FREQ=DAILY", at: iso(first), zone }, from);
    const expected = Array.from({ length: 367 }, (_, n) => momentOf(first + n * day, clock));
    let last = from;
    for (const one of expected) {
      const next = nextOf(schedule, last);
      expect(new Date(next ?? 0).toISOString()).toBe(new Date(one).toISOString());
      // Between the clock's jump and a time that it jumped over, too.
      expect(nextOf(schedule, one - 20 * minute)).toBe(one);
      last = one;
    }
    for (let tries = 0; tries < 40; tries += 1) {
      const after = from + Math.floor(random() * 360 * day);
      expect(nextOf(schedule, after)).toBe(expected.find((one) => one > after));
    }
  });
});

describe("a schedule", () => {
  const berlin = { zone: "Europe/Berlin" };
  const timesOf = (wish: Wish, count: number, now = from) => {
    const schedule = scheduleOf(wish, now);
    const times: string[] = [];
    for (let at = nextOf(schedule, now); at !== undefined && times.length < count; at = nextOf(schedule, at))
      times.push(new Date(at).toISOString().slice(0, 16));
    return times;
  };

  it("in the hour that is not there comes an hour later, that day alone", () => {
    const now = Date.UTC(2027, 2, 26, 12);
    const times = timesOf({ rule: "FREQ=DAILY", at: "2027-03-27T02:30", ...berlin }, 3, now);
    expect(times).toEqual(["2027-03-27T01:30", "2027-03-28T01:30", "2027-03-29T00:30"]);
  });

  it("in the hour that is there twice comes the first time", () => {
    const now = Date.UTC(2027, 9, 29, 12);
    const times = timesOf({ rule: "FREQ=DAILY", at: "2027-10-30T02:30", ...berlin }, 3, now);
    expect(times).toEqual(["2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"]);
  });

  it("in equal steps knows no wall clock", () => {
    const now = Date.UTC(2027, 2, 27, 23);
    expect(timesOf({ everyMinutes: 60 }, 3, now)).toEqual(["2027-03-28T00:00", "2027-03-28T01:00", "2027-03-28T02:00"]);
  });

  it.each([
    [
      "the last Friday of a month",
      { rule: "FREQ=MONTHLY;BYDAY=-1FR", at: "2026-11-01T09:00" },
      ["2026-11-27T08:00", "2026-12-25T08:00"],
    ],
    [
      "the 31st",
      { rule: "FREQ=MONTHLY;BYMONTHDAY=31", at: "2026-11-30T09:00" },
      ["2026-12-31T08:00", "2027-01-31T08:00", "2027-03-31T07:00"],
    ],
    ["leap days", { rule: "FREQ=YEARLY", at: "2028-02-29T09:00" }, ["2028-02-29T08:00", "2032-02-29T08:00"]],
    [
      "so many times",
      { rule: "RRULE:FREQ=DAILY;COUNT=2", at: "2026-11-27T09:00" },
      ["2026-11-27T08:00", "2026-11-28T08:00"],
    ],
    [
      "until a day, that one included",
      { rule: "FREQ=DAILY", at: "2026-11-27T09:00", until: "2026-11-28" },
      ["2026-11-27T08:00", "2026-11-28T08:00"],
    ],
    [
      "several hours of a day",
      { rule: "FREQ=WEEKLY;BYDAY=FR;BYHOUR=9,17;BYMINUTE=0", at: "2026-11-27T09:00" },
      ["2026-11-27T08:00", "2026-11-27T16:00", "2026-12-04T08:00"],
    ],
  ] as const)("has %s", (_, wish, expected) => {
    expect(timesOf({ ...wish, ...berlin }, expected.length)).toEqual(expected);
  });

  it.each([
    ["past", { at: "2026-11-26T12:00", ...berlin }],
    ["past", { inSeconds: -5 }],
    ["far", { inSeconds: 6 * 366 * 86_400 }],
    ["far", { rule: "FREQ=DAILY", at: "2040-01-01T09:00", ...berlin }],
    ["often", { everyMinutes: 0.5 }],
    ["often", { everyMinutes: Number.NaN }],
    ["never", { rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", at: "2027-01-01T09:00", ...berlin }],
    ["never", { rule: "FREQ=DAILY", at: "2026-11-27T09:00", until: "2026-11-26T23:00", ...berlin }],
    ["zone", { at: "2026-11-27T09:00" }],
    ["zone", { at: "2026-11-27T09:00", zone: "Mars/Olympus" }],
    ["time", {}],
    ["time", { at: "tomorrow", ...berlin }],
    ["time", { at: "2026-11-27T09:00:00Z", ...berlin }],
    ["time", { rule: "FREQ=DAILY", ...berlin }],
    ["rule", { rule: "FREQ=SECONDLY", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "FREQ=DAILY;BYSECOND=1,2,3", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "FREQ=DAILY;UNTIL=20261231", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "FREQ=DAILY;BYHOUR=99", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "FREQ=DAILY;FREQ=WEEKLY", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "FREQ=DAILY\nDTSTART:20200101T000000Z", at: "2026-11-27T09:00", ...berlin }],
    ["rule", { rule: "", at: "2026-11-27T09:00", ...berlin }],
  ] as const)("is refused, for its trouble %s: %j", (trouble, wish) => {
    const making = () => scheduleOf(wish, from);
    expect(making).toThrow(ScheduleError);
    expect(making).toThrow(expect.objectContaining({ trouble }));
  });
});

it.each([
  ["I am in New York", "America/New_York"],
  ["berlin", "Europe/Berlin"],
  ["São Paulo, Brazil", "America/Sao_Paulo"],
  ["Europe/Madrid", "Europe/Madrid"],
  ["GMT+2", "+02:00"],
  ["utc", "UTC"],
  ["Kyiv", "Europe/Kyiv"],
  ["here at home", undefined],
  ["and/or", undefined],
])("%j is the zone %s", (text, zone) => {
  expect(zoneIn(text)?.zone).toBe(zone);
});
