import { describe, expect, it } from "vitest";
import { Killed, openDesk, saidBy, type DeskTask } from "./desk.fixture.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const berlin = { timeZone: "Europe/Berlin" };
const untilOf = ({ outcome }: DeskTask) =>
  outcome?.kind === "waiting" ? new Date(outcome.until).toISOString().slice(0, 19) : outcome?.kind;

describe("a reminder", () => {
  it("comes at its time, once, with its text", async () => {
    const desk = openDesk();
    const task = await desk.say("remind me in 10 minutes to drink tea");
    expect(task.outcome).toMatchObject({ kind: "waiting", until: desk.now() + 10 * minute });
    expect(saidBy(task)).toBe("I will remind you in 10 minutes: drink tea");
    await desk.pass(10 * minute - 1);
    expect(desk.told(task)).toEqual([]);
    await desk.pass(1);
    expect(task.ended).toBe(true);
    await desk.pass(day);
    expect(desk.told(task)).toEqual(["Reminder: drink tea"]);
  });

  it.each([
    ["remind me tomorrow at 9 to call Bob", "2026-11-27T08:00:00", "call Bob"],
    ["please remind me to call Bob on Friday at 5pm", "2026-11-27T16:00:00", "call Bob"],
    ["remind me at 8 to feed the cat", "2026-11-27T07:00:00", "feed the cat"],
    ["remind me on 24 December at 18:00 about dinner", "2026-12-24T17:00:00", "dinner"],
    ["remind me at 9 (Asia/Tokyo) to call Ken", "2026-11-27T00:00:00", "call Ken"],
    ["remind me in half an hour that the pizza is ready", "2026-11-26T15:00:20", "the pizza is ready"],
    ["every day at 9am remind me to stretch", "2026-11-27T08:00:00", "stretch"],
    ["remind me every Monday and Thursday at 18:30 to go running", "2026-11-26T17:30:00", "go running"],
    ["remind me on Fridays at 4pm to write the report", "2026-11-27T15:00:00", "write the report"],
    ["remind me every weekday at 7:15 to get up", "2026-11-27T06:15:00", "get up"],
    ["remind me every 2 hours to drink", "2026-11-26T16:30:20", "drink"],
    ["remind me every other week on Monday at 10am to water plants", "2026-11-30T09:00:00", "water plants"],
    ["Erinnere mich bitte morgen um 9 Uhr daran, Bob anzurufen", "2026-11-27T08:00:00", "Bob anzurufen"],
    ["erinnere mich am 24.12. um 18:00 an das Essen", "2026-12-24T17:00:00", "Essen"],
    ["erinnere mich in einer halben Stunde an die Pizza", "2026-11-26T15:00:20", "Pizza"],
    ["erinnere mich um halb 9 an den Bus", "2026-11-27T07:30:00", "Bus"],
    ["erinnere mich jeden Montag um 8 Uhr an den Müll", "2026-11-30T07:00:00", "Müll"],
    ["erinnere mich täglich um 22 Uhr zu schlafen", "2026-11-26T21:00:00", "schlafen"],
    ["recuérdame mañana a las 9 llamar a Bob", "2026-11-27T08:00:00", "llamar a Bob"],
    ["recuérdame pasado mañana a las 7 que salga", "2026-11-28T06:00:00", "salga"],
    ["recuérdame cada lunes a las 9:30 sacar la basura", "2026-11-30T08:30:00", "sacar la basura"],
    ["recuérdame todos los días a las 8 de la tarde tomar la pastilla", "2026-11-26T19:00:00", "tomar la pastilla"],
  ])("is understood: %s", async (request, at, text) => {
    const task = await openDesk(berlin).say(request);
    expect(untilOf(task)).toBe(at);
    expect(task.state).toMatchObject({ kind: "set", text });
    expect(saidBy(task)).toContain(text);
  });

  it("speaks the language of the request, and else the person's", async () => {
    const desk = openDesk(berlin);
    const german = await desk.say("erinnere mich in 10 Minuten an den Tee");
    expect(saidBy(german)).toBe("Ich erinnere dich Donnerstag, 26. November 2026 um 15:40 (Europe/Berlin): Tee");
    await desk.pass(10 * minute);
    expect(desk.told(german)).toEqual(["Erinnerung: Tee"]);
    expect(saidBy(await openDesk({ locale: "es-MX" }).say("xyz"))).toContain("Trabajo sin modelo de lenguaje");
  });

  it("is asked about where its time, its zone or its text is missing, and never guessed", async () => {
    const desk = openDesk();
    const task = await desk.say("remind me tomorrow to call Bob");
    expect(task.outcome?.kind).toBe("input-required");
    expect(saidBy(task)).toContain("At what time?");
    await desk.say("9", { task });
    expect(saidBy(task)).toContain("In which time zone are you?");
    await desk.say("I am in New York", { task });
    expect(untilOf(task)).toBe("2026-11-27T14:00:00");
    expect(saidBy(task)).toBe("I will remind you Friday, 27 November 2026 at 09:00 (America/New_York): call Bob");

    const next = await desk.say("remind me tonight at 8pm");
    expect(saidBy(next)).toContain("What shall I remind you of?");
    await desk.say("to take out the rubbish", { task: next });
    // The zone is known from the reminder that there is.
    expect(untilOf(next)).toBe("2026-11-27T01:00:00");
    expect(next.state).toMatchObject({ text: "take out the rubbish" });
  });

  it("takes the zone of the settings where the caller tells none", async () => {
    const task = await openDesk({ settings: { timeZone: "Asia/Tokyo" } }).say("remind me at 8:00 to call Ken");
    expect(untilOf(task)).toBe("2026-11-26T23:00:00");
    expect(() => openDesk({ settings: { timeZone: "Mars/Olympus" } })).toThrow("IANA");
  });

  it("is given up in clear words when nobody can say when", async () => {
    const desk = openDesk(berlin);
    const task = await desk.say("remind me tomorrow to call Bob");
    for (const answer of ["later", "soon", "whenever"]) await desk.say(answer, { task });
    expect(task.outcome?.kind).toBe("rejected");
    expect(saidBy(task)).toContain("no reminder is set");
  });

  it.each([
    ["remind me on 24 December 2020 at 18:00 about dinner", "input-required", "over already"],
    ["remind me on 24 December 2040 at 18:00 about dinner", "rejected", "five years ahead"],
    [`remind me in 10 minutes to ${"x".repeat(600)}`, "rejected", "500 characters"],
    ["what is the capital of France?", "rejected", "I run without a language model"],
  ])("cannot be everything: %s", async (request, kind, words) => {
    const task = await openDesk(berlin).say(request);
    expect(task.outcome?.kind).toBe(kind);
    expect(saidBy(task)).toContain(words);
  });

  it("is one of 200 at most", async () => {
    const desk = openDesk();
    for (let n = 0; n < 200; n += 1) await desk.say(`remind me in ${n + 10} minutes to do number ${n}`);
    const task = await desk.say("remind me in 10 minutes to drink tea");
    expect(task.outcome?.kind).toBe("rejected");
    expect(saidBy(task)).toContain("You have 200 reminders");
    expect((await desk.say("remind me in 10 minutes to drink tea", { caller: "bob" })).outcome?.kind).toBe("waiting");
  });
});

describe("a repetition", () => {
  it("comes again and again, each time as an artifact of its own", async () => {
    const desk = openDesk(berlin);
    const task = await desk.say("remind me every day at 9 to stretch");
    await desk.pass(3 * day);
    expect([...task.artifacts.keys()]).toEqual([
      "due-2026-11-27T08:00:00.000Z",
      "due-2026-11-28T08:00:00.000Z",
      "due-2026-11-29T08:00:00.000Z",
    ]);
    expect(new Set(desk.told(task))).toEqual(new Set(["Reminder: stretch"]));
    expect(untilOf(task)).toBe("2026-11-30T08:00:00");
  });

  it("ends, and says so, before it is more than a task can hold", async () => {
    const desk = openDesk();
    const task = await desk.say("remind me every minute to blink");
    await desk.pass(3 * day);
    expect(task.ended).toBe(true);
    expect(task.artifacts.size).toBe(1_000);
    expect(desk.told(task).at(-1)).toBe("Reminder: blink\nIt was the last time.");
    const held = JSON.stringify([...task.artifacts]);
    expect(Buffer.byteLength(held)).toBeLessThan(600_000);
  });
});

describe("after downtime", () => {
  it("one that is late says so, and by how much", async () => {
    const desk = openDesk(berlin);
    const task = await desk.say("remind me at 17:00 to leave");
    desk.skip(4.5 * hour);
    await desk.pass(0);
    expect(desk.told(task)).toEqual([
      "Reminder: leave\nIt comes late: it was due 3 hours ago, Thursday, 26 November 2026 at 17:00 (Europe/Berlin).",
    ]);
  });

  it("one that repeats is told once, with how many were missed, and goes on with the next", async () => {
    const desk = openDesk(berlin);
    const task = await desk.say("remind me every day at 9 to stretch");
    desk.skip(4 * day);
    await desk.pass(0);
    expect(desk.told(task)).toEqual([
      "Reminder: stretch\nIt comes late: it was due 3 days ago, Friday, 27 November 2026 at 09:00 (Europe/Berlin).\n" +
        "3 more times passed meanwhile.",
    ]);
    expect(untilOf(task)).toBe("2026-12-01T08:00:00");
    await desk.pass(day);
    expect(desk.told(task)).toHaveLength(2);
    expect(desk.told(task).at(-1)).toBe("Reminder: stretch");
  });

  it("a few seconds are not late", async () => {
    const desk = openDesk();
    const task = await desk.say("remind me in 10 minutes to drink tea");
    desk.skip(10 * minute + 30_000);
    await desk.pass(0);
    expect(desk.told(task)).toEqual(["Reminder: drink tea"]);
  });
});

describe("reminders by words", () => {
  async function withThree() {
    const desk = openDesk(berlin);
    const tea = await desk.say("remind me in 2 hours to drink tea");
    const plants = await desk.say("remind me every Monday at 8 to water the plants");
    const bob = await desk.say("remind me tomorrow at 9 to call Bob about the green tea order");
    return { desk, tea, plants, bob };
  }

  it("are listed, the next one first, and only one's own", async () => {
    const { desk } = await withThree();
    const list = saidBy(await desk.say("list my reminders"));
    expect(list.split("\n")).toEqual([
      "Your reminders:",
      "1. drink tea – Thursday, 26 November 2026 at 17:30 (Europe/Berlin)",
      "2. call Bob about the green tea order – Friday, 27 November 2026 at 09:00 (Europe/Berlin)",
      "3. water the plants – every monday, next Monday, 30 November 2026 at 08:00 (Europe/Berlin)",
    ]);
    expect(saidBy(await desk.say("list my reminders", { caller: "bob" }))).toBe("You have no reminders.");
  });

  it("are cancelled by what they are about, and never come then", async () => {
    const { desk, plants } = await withThree();
    const canceled = await desk.say("cancel the plant reminder");
    expect(saidBy(canceled)).toBe("Cancelled: water the plants");
    expect(plants.ended).toBe(true);
    await desk.pass(8 * day);
    expect(desk.told(plants)).toEqual([]);
    expect(saidBy(await desk.say("cancel the plant reminder"))).toBe("You have no reminders.");
  });

  it("are cancelled by their number, and all at once", async () => {
    const { desk, tea, plants, bob } = await withThree();
    await desk.say("cancel reminder 2");
    expect([tea.ended, plants.ended, bob.ended]).toEqual([false, false, true]);
    expect(saidBy(await desk.say("please cancel all my reminders"))).toBe("Cancelled: drink tea; water the plants");
  });

  it.each([
    ["cancel all my reminders but the plants", [true, false, true]],
    ["cancel all reminders about plants", [false, true, false]],
    ["lösche alle Erinnerungen außer Bob", [true, true, false]],
    ["cancel everything except the dentist", [false, false, false]],
    ["cancel all dentist reminders", [false, false, false]],
  ])("are not cancelled beyond the words: %s", async (words, ended) => {
    const { desk, tea, plants, bob } = await withThree();
    await desk.say(words);
    expect([tea.ended, plants.ended, bob.ended]).toEqual(ended);
  });

  it("of another caller are not there", async () => {
    const { desk, tea } = await withThree();
    expect(saidBy(await desk.say("cancel the tea reminder", { caller: "bob" }))).toBe("You have no reminders.");
    expect(tea.ended).toBe(false);
  });

  it("are asked about where the words fit several", async () => {
    const { desk, tea, bob } = await withThree();
    const task = await desk.say("cancel the tea reminder");
    expect(saidBy(task).split("\n")).toHaveLength(3);
    // The numbers are those of the question, whatever has come since.
    await desk.say("remind me in 5 minutes to eat");
    await desk.say("the 2nd", { task });
    expect(saidBy(task)).toContain("Cancelled: call Bob");
    expect([tea.ended, bob.ended]).toEqual([false, true]);
    expect(saidBy(await desk.say("cancel the dentist reminder"))).toContain("I find no such reminder");
  });

  it("are moved: the task that asks for it has the reminder from then on", async () => {
    const { desk, plants } = await withThree();
    const moved = await desk.say("move the plants reminder to 10:30");
    expect(plants.ended).toBe(true);
    expect(untilOf(moved)).toBe("2026-11-30T09:30:00");
    expect(saidBy(moved)).toContain("every monday");
    await desk.pass(8 * day);
    expect(desk.told(moved)).toEqual(["Reminder: water the plants"]);
  });

  it("are changed in their own task, which goes on waiting whatever is said there", async () => {
    const { desk, tea } = await withThree();
    await desk.say("hm?", { task: tea });
    expect(saidBy(tea)).toContain("This reminder stands");
    await desk.say("make it 18:15", { task: tea });
    expect(untilOf(tea)).toBe("2026-11-26T17:15:00");
    await desk.say("make it tomorrow", { task: tea });
    expect(tea.outcome?.kind).toBe("waiting");
    expect(untilOf(tea)).toBe("2026-11-26T17:15:00");
    await desk.say("cancel it", { task: tea });
    expect(saidBy(tea)).toBe("Cancelled: drink tea");
    expect(tea.ended).toBe(true);
  });

  it("in German and Spanish too", async () => {
    const desk = openDesk(berlin);
    const tea = await desk.say("erinnere mich in 2 Stunden an den Tee");
    expect(saidBy(await desk.say("zeige meine Erinnerungen"))).toContain("1. Tee – ");
    const moved = await desk.say("verschiebe die Erinnerung an den Tee auf 20 Uhr");
    expect([tea.ended, untilOf(moved)]).toEqual([true, "2026-11-26T19:00:00"]);
    expect(saidBy(await desk.say("lösche die Erinnerung an den Tee"))).toBe("Gelöscht: Tee");
    const te = await desk.say("recuérdame en 2 horas tomar el té");
    expect(saidBy(await desk.say("cancela el recordatorio del té"))).toBe("Cancelado: tomar el té");
    expect(te.ended).toBe(true);
  });
});

describe("a kill between any two steps", () => {
  it("tells a repetition neither twice nor never", async () => {
    for (let steps = 0; steps < 2; steps += 1) {
      const desk = openDesk(berlin);
      const task = await desk.say("remind me every day at 9 to stretch");
      desk.killAfter(steps);
      await expect(desk.pass(19 * hour)).rejects.toThrow(Killed);
      desk.revive();
      desk.skip(2 * minute);
      await desk.again(task);
      expect(desk.told(task)).toHaveLength(1);
      await desk.pass(day);
      expect(desk.told(task)).toHaveLength(2);
    }
  });

  it("cancels exactly what was meant, though other reminders fit the words by then", async () => {
    for (let steps = 0; steps < 4; steps += 1) {
      const desk = openDesk();
      const tea = await desk.say("remind me in 10 minutes to drink tea");
      desk.killAfter(steps);
      const canceling = await desk.say("cancel the tea reminder").catch(() => desk.tasks.get("task-2"));
      desk.revive();
      const other = steps === 0 ? undefined : await desk.say("remind me in 20 minutes to buy tea");
      if (canceling !== undefined && !canceling.ended) await desk.again(canceling);
      expect(canceling === undefined ? "" : saidBy(canceling)).toBe("Cancelled: drink tea");
      expect([tea.ended, other?.ended ?? false]).toEqual([true, false]);
    }
  });

  it("moves a reminder without losing it", async () => {
    for (let steps = 0; steps < 4; steps += 1) {
      const desk = openDesk(berlin);
      const tea = await desk.say("remind me in 10 minutes to drink tea");
      desk.killAfter(steps);
      const moving = await desk.say("move the tea reminder to 17:00").catch(() => desk.tasks.get("task-2"));
      desk.revive();
      if (moving?.outcome === undefined && moving !== undefined) await desk.again(moving);
      expect(tea.ended).toBe(true);
      expect(moving === undefined ? "" : saidBy(moving)).toMatch(/^Changed\. I will remind you .* at 17:00/);
      expect(moving?.state).not.toHaveProperty("replaces");
      await desk.pass(day);
      expect([...desk.tasks.values()].flatMap(desk.told)).toEqual(["Reminder: drink tea"]);
    }
  });

  it("hears what is said to a move that died", async () => {
    const desk = openDesk(berlin);
    await desk.say("remind me in 10 minutes to drink tea");
    desk.killAfter(1);
    await expect(desk.say("move the tea reminder to 17:00")).rejects.toThrow(Killed);
    desk.revive();
    const moving = desk.tasks.get("task-2");
    if (moving === undefined) throw new Error("there is no such task");
    await desk.say("cancel it", { task: moving });
    expect(saidBy(moving)).toBe("Cancelled: drink tea");
    expect([...desk.tasks.values()].map(({ ended }) => ended)).toEqual([true, true]);
  });
});
