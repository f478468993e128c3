/** One person on Telegram and in the web chat, on the real gateway: linked, apart again, exported, forgotten, and killed meanwhile. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { streamsOf } from "../simulation/random.ts";
import { openPage } from "./page.ts";
import { eventually, expectKept, openStage, said, untilQuiet, type Stage } from "./stage.ts";

const ann = 7;
const eve = 8;
const group = -500;
const seed = Number(process.env["KILL_SEED"] ?? 1);

/** All prompts of the model so far, as they came. */
function prompts({ model }: Stage): string[] {
  const seen: string[] = [];
  model.script((prompt) => void seen.push(JSON.stringify(prompt.body)));
  return seen;
}

function telegram(stage: Stage, chat: number) {
  return {
    sends: (text: string, to = chat) => stage.platform.user(chat).sends(to, text),
    sees: (what: string, times = 1, at = chat) =>
      eventually(`chat ${at} shows “${what}”`, () => {
        const all = said(stage, at).filter((text) => text.includes(what));
        return all.length >= times ? all.at(-1) : undefined;
      }),
  };
}

const codeOf = (text: string) => /\/link ([A-Z2-9]{5}-[A-Z2-9]{5})/.exec(text)?.[1] ?? "none";

/** Rows of the gateway's own file that hold this text; and how often the journal has a rule. */
function rowsWith({ gateway }: Stage, text: string): string[] {
  const file = new DatabaseSync(join(gateway.data, "ascent.db"), { readOnly: true });
  try {
    const tables = file.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
    return tables.flatMap(({ name }) =>
      file
        .prepare(`SELECT * FROM "${name}"`)
        .all()
        .map((row) => JSON.stringify(row))
        .filter((row) => row.includes(text))
        .map((row) => `${name}: ${row.slice(0, 200)}`),
    );
  } finally {
    file.close();
  }
}

test("two channels are one person from /link to /unlink, and each answer goes where its message came from", async () => {
  const stage = await openStage({ web: true });
  const asked = prompts(stage);
  const phone = telegram(stage, ann);
  const page = await openPage(stage);
  await phone.sends("my cat is Minka m-7-1");
  await phone.sees("m-7-1");
  await page.sends("my dog is Rex m-web-1");
  await page.sees("m-web-1");
  expect(asked.at(-1)).not.toContain("Minka");

  await page.sends("/link");
  const code = codeOf((await page.sees("/link ")).text);
  await phone.sends(`/link ${code.toLowerCase()}`);
  await phone.sees("Linked:");
  await page.sees("Another channel is linked");

  await page.sends("and the cat? m-web-2");
  await page.sees("m-web-2");
  expect(asked.at(-1)).toContain("Minka");
  expect(asked.at(-1)).toContain("Rex");
  await phone.sends("and the dog? m-7-2");
  await phone.sees("m-7-2");
  expect(asked.at(-1)).toContain("Rex");
  expect(asked.at(-1)).toContain("m-web-2");
  expect(said(stage, ann).some((text) => text.includes("m-web"))).toBe(false);
  expect((await page.shown()).some(({ text }) => text.includes("m-7-"))).toBe(false);

  await stage.platform.defineChat({ id: group, type: "supergroup", title: "friends" });
  await phone.sends("/ask m-500-1 who am I", group);
  await phone.sees("m-500-1", 1, group);
  expect(asked.at(-1)).not.toMatch(/Minka|Rex/);

  await phone.sends("/unlink");
  await phone.sees("Unlinked:");
  await phone.sends("what do you know? m-7-3");
  await phone.sees("m-7-3");
  expect(asked.at(-1)).not.toMatch(/Minka|Rex/);
  await page.sends("and you? m-web-3");
  await page.sees("m-web-3");
  expect(asked.at(-1)).toContain("Minka");
});

test("a code is good once, not for oneself, not in a group, and not for guessing", async () => {
  const stage = await openStage();
  const [phone, other] = [telegram(stage, ann), telegram(stage, eve)];
  await phone.sends("/link");
  const code = codeOf(await phone.sees("/link "));
  await phone.sends(`/link ${code}`);
  await phone.sees("not a code I know");
  await stage.platform.defineChat({ id: group, type: "supergroup", title: "friends" });
  await other.sends(`/link ${code}`, group);
  await other.sees("not a code I know", 1, group);
  await other.sends("/link", group);
  await other.sees("direct chat only", 1, group);
  await other.sends(`/link ${code}`);
  await other.sees("Linked:");
  const third = telegram(stage, 9);
  await third.sends(`/link ${code}`);
  await third.sees("not a code I know");
  for (let n = 2; n <= 5; n++) {
    await third.sends("/link AAAAA-AAAAA");
    await third.sees("not a code I know", n);
  }
  await phone.sends("/link");
  await eventually("a new code", () => said(stage, ann).filter((text) => text.startsWith("/link ")).length === 2);
  await third.sends(`/link ${codeOf(said(stage, ann).findLast((text) => text.startsWith("/link ")) ?? "")}`);
  await third.sees("too many codes");
  expect(stage.gateway.output()).not.toContain(code.slice(0, 5));
});

test(
  "/export is a file of what is kept; /forget erases it on every channel, and says so in the journal",
  { timeout: 90_000 },
  async () => {
    const stage = await openStage({ web: true });
    const asked = prompts(stage);
    const phone = telegram(stage, ann);
    const page = await openPage(stage);
    const upload = await page.request("/api/attachments?name=secret.txt", {
      method: "POST",
      body: "Minka's address",
      headers: { "content-type": "text/plain" },
    });
    const file = (await upload.json()) as { id: string; url: string };
    await page.sends("my cat is Minka m-web-1", [file]);
    await page.sees("m-web-1");
    await page.sends("/link");
    await phone.sends(`/link ${codeOf((await page.sees("/link ")).text)}`);
    await phone.sees("Linked:");
    await phone.sends("Minka sleeps m-7-1");
    await phone.sees("m-7-1");

    await page.sends("/export");
    const exported = await page.sees("what I remember");
    const [attachment] =
      exported.attachments.length > 0 ? exported.attachments : ((await page.shown()).at(-1)?.attachments ?? []);
    const held = (await (await page.request(attachment?.url ?? "/none")).json()) as Record<
      string,
      { channel: string; text: string }[]
    >;
    expect(held["channels"]?.map(({ channel }) => channel).toSorted()).toEqual(["telegram", "web"]);
    expect(JSON.stringify(held["history"])).toContain("Minka sleeps m-7-1");
    await phone.sends("/export");
    await eventually("a document on Telegram", () =>
      stage.platform.log.calls.some(({ method, accepted }) => method === "senddocument" && accepted),
    );

    expect((await page.request(file.url)).status).toBe(200);
    await phone.sends("/forget");
    await phone.sees("/forget yes");
    expect(rowsWith(stage, "Minka")).not.toEqual([]);
    await phone.sends("/forget yes");
    await phone.sees("I have erased");
    expect((await page.request(file.url)).status).toBe(404);
    expect(await page.shown()).toEqual([]);
    for (const [say, see, own] of [
      [page.sends, page.sees, "m-web-2"],
      [phone.sends, phone.sees, "m-7-2"],
    ] as const) {
      await say(`who am I? ${own}`);
      await see(own);
      expect(asked.at(-1)).not.toMatch(/Minka|m-web-1|m-7-1/);
    }
    await eventually(
      "nothing is left of it",
      () => rowsWith(stage, "Minka").length === 0 && rowsWith(stage, "forgotten by the person").length === 1,
      45_000,
    );
  },
);

/** Two people's chats that are about to be one's. */
async function pairOf(stage: Stage, n: number) {
  const [first, second] = [1_000 + n, 2_000 + n];
  const [one, other] = [telegram(stage, first), telegram(stage, second)];
  await one.sends(`hello m-${first}-1`);
  await other.sends(`hello m-${second}-1`);
  await one.sends("/link");
  const code = codeOf(await one.sees("/link "));
  return {
    second,
    other,
    /** The joiner writes before and behind the code. */
    async links() {
      await Promise.all([
        other.sends(`first m-${second}-2`),
        other.sends(`/link ${code}`),
        other.sends(`then m-${second}-3`),
        one.sends(`meanwhile m-${first}-2`),
      ]);
    },
  };
}

/** Resolves at once when Telegram has so many words of a link, while the others are on their way. */
function linked({ platform }: Stage, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = count;
  const stop = platform.log.onAccepted(({ text }) => {
    if (text?.startsWith("Linked:") !== true || --left > 0) return;
    stop();
    resolve();
  });
  return promise;
}

test(
  "kill -9 in the middle of linking: every message is answered once, and each link is made once",
  { timeout: 240_000 },
  async () => {
    const stage = await openStage({ seed });
    const random = streamsOf(seed)("kills while linking");
    for (let round = 0; round < 4; round++) {
      const pairs = await Promise.all(Array.from({ length: 8 }, (_, at) => pairOf(stage, round * 10 + at)));
      await untilQuiet(stage);
      const [which, ms] = [random.int(1, pairs.length), random.int(0, 4)];
      const made = linked(stage, which);
      await Promise.all(pairs.map((pair) => pair.links()));
      await made;
      await sleep(ms);
      await stage.gateway.kill();
      stage.note(`round ${round}: killed ${ms} ms after link ${which}`);
      await stage.gateway.start();
      for (const { other } of pairs) await other.sees("Linked:");
      for (const { other, second } of pairs) await other.sends(`last m-${second}-4`);
      await untilQuiet(stage);
      for (const { second } of pairs) {
        const own = said(stage, second);
        // One that was in flight at the kill may be there twice, with the same words.
        expect(own.at(-1)).toContain(`m-${second}-4`);
        expect(own.filter((text) => text.startsWith("Linked:")).length).toBeLessThanOrEqual(2);
      }
    }
    const { text } = expectKept(stage);
    console.log(`linking, KILL_SEED=${seed}: ${text}`);
  },
);
