import type { Profile } from "../../../src/skilled.ts";

export const profile: Profile = {
  name: "scheduler",
  title: "Scheduler",
  description:
    "Reminds people at a time, or again and again, in their own time zone. One reminder per task: give it the person's words as they " +
    "are, with what to remind them of and when, and the time zone where it is known. It also lists, changes and cancels reminders.",
  version: "1",
  skills: [
    {
      id: "remind",
      name: "Remind",
      description: "Reminds once: in ten minutes, tomorrow at nine, on 24 December at 18:00.",
      tags: ["reminder", "time"],
      examples: [
        "Remind me in 10 minutes to drink tea",
        "Erinnere mich morgen um 9 Uhr an Bob",
        "Recuérdame el viernes a las 17:00 el informe",
      ],
    },
    {
      id: "repeat",
      name: "Repeat",
      description: "Reminds again and again: every day at nine, on Mondays and Thursdays, every two hours.",
      tags: ["reminder", "recurring"],
      examples: ["Remind me every weekday at 7:15 to get up"],
    },
    {
      id: "manage",
      name: "List, change, cancel",
      description: "Lists the reminders that are set, and changes or cancels one by what it is about.",
      tags: ["reminder"],
      examples: ["Which reminders do I have?", "Cancel the tea reminder", "Move the tea reminder to 17:00"],
    },
  ],
  inputModes: ["text/plain"],
  outputModes: ["text/plain"],
};
