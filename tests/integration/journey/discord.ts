import { componentsOf } from "../../fakes/discord/people.ts";
import { startDiscordFake } from "../../fakes/discord.ts";
import type { Stop } from "./visitor.ts";

export async function discordStop(): Promise<Stop> {
  const fake = await startDiscordFake({ token: "MTAw.canary.of-the-journey" });

  return {
    name: "discord",
    env: () => ({ DISCORD_TOKEN: fake.token, DISCORD_API_ROOT: fake.apiRoot }),
    account: {},
    secrets: [fake.token],
    deviations: {},
    idempotent: true,
    open: async () => undefined,
    async visitor(name) {
      const person = fake.person(name);
      const chat = person.direct();
      const own = () => fake.messages(chat).filter(({ author }) => author.id === fake.me);
      return {
        says: async (text) => person.says(chat, text).id,
        again: async (message) => fake.redeliver(message),
        sendsPicture: async (text, bytes) =>
          void person.says(chat, text, { files: [{ name: "in.png", bytes, type: "image/png" }] }),
        edits: async (message, text) => person.edits(message, text),
        async presses(message, label) {
          const shown = fake.messages(chat).find(({ id }) => id === message.id);
          const key = shown === undefined ? undefined : componentsOf(shown).find((one) => one.label === label);
          await person.presses(message.id, key?.custom_id ?? "");
        },
        got: async () =>
          own()
            .filter(({ content, attachments }) => !content.endsWith("▌") && (content !== "" || attachments.length > 0))
            .map((message) => {
              const file = message.attachments[0]?.filename;
              const buttons = componentsOf(message).map(({ label = "" }) => label);
              const of = { id: message.id, text: message.content, buttons };
              return file === undefined ? of : { ...of, file };
            }),
        grew: () => own().reduce((sum, { before }) => sum + before.length, 0),
        slowsDown: async () => fake.fault({ kind: "rate", method: "POST", path: `${chat}/messages`, retryAfter: 1 }),
        takesUnheard: async () => fake.fault({ kind: "accepted then close", method: "POST", path: `${chat}/messages` }),
        breaksOff: async () => fake.gateway.disconnect(),
      };
    },
    close: () => fake.close(),
  };
}
