/** What agents remember, on the real gateway: that it is kept, that people see and delete it, and that nobody else's prompt has it. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFailed, test } from "vitest";
import { factOf, lastTurn, leaks, obey, ownersIn, type Seen } from "./memory-prompts.ts";
import { eventually, openStage, said } from "./stage.ts";
import { openTenantsStage, type Bot, type TenantsStage } from "./tenants-stage.ts";

const group = -500;
const people = [101, 102, 103, 104, 105, 106];
let count = 0;
/** Somebody in a chat of a bot, until the answer is there. */
function writer(stage: TenantsStage, bot: Bot, chat: number, owner: string) {
  return async (text: string, user = chat): Promise<string> => {
    const mark = `q${(count += 1)}z`;
    const words = text.startsWith("/") && chat > 0 ? text : `${text} by-${owner} ${mark}`;
    const before = stage.said(bot, chat).length;
    await stage
      .bot(bot)
      .user(user)
      .sends(chat, chat < 0 ? `/ask ${words}` : words);
    if (words === text)
      return eventually(`an answer to ${text}`, () => stage.said(bot, chat).slice(before).at(-1), 30_000);
    return stage.sees(bot, chat, mark, 30_000);
  };
}

const config = {
  limits: { messagesPerMinute: { person: "off" } },
  agents: Object.fromEntries(
    ["acme", "globex"].map((name) => [name, { model: `compatible:${name}`, retries: 1, context: { historyItems: 4 } }]),
  ),
};

test("no fact of a person's, a group's or a tenant's is in another's prompt, also where persons are linked", async () => {
  const stage = await openTenantsStage({ config });
  const seen: Seen[] = [];
  stage.model.script(obey(seen));
  await stage.start();
  const facts = new Map<string, string>();
  const say = (bot: Bot, chat: number) => {
    const owner = `${bot}${chat < 0 ? "" : chat}`;
    return { owner, says: writer(stage, bot, chat, owner) };
  };
  const all = [
    ...(["acme", "globex"] as const).flatMap((bot) =>
      [...people, group].map((chat) => ({ bot, chat, ...say(bot, chat) })),
    ),
    { bot: "sales" as const, chat: 101, ...say("sales", 101) },
  ];
  for (const bot of ["acme", "globex"] as const)
    await stage.bot(bot).defineChat({ id: group, type: "supergroup", title: "friends" });

  async function lives({ owner, chat, says }: (typeof all)[number]): Promise<void> {
    const user = chat < 0 ? 101 : chat;
    const fact = factOf(owner);
    facts.set(owner, fact);
    expect(await says(fact, user)).toContain("It is noted");
    // Until it has left the history.
    for (let n = 0; n < 6; n++) await says(`small talk ${n}`, user);
    expect(await says("search", user)).toContain(fact);
    await says("what do you know?", user);
    const last = lastTurn(seen, owner);
    expect(last).toMatch(new RegExp(String.raw`\[notes\] [^\n]*${fact}`));
  }
  await Promise.all(all.map(lives));
  expect(seen.filter(({ summary }) => summary).length).toBeGreaterThanOrEqual(all.length);
  expect(leaks(seen)).toEqual([]);

  // Killed, and known as before.
  await stage.gateway.kill();
  await stage.gateway.start();
  seen.length = 0;
  await Promise.all(all.map(({ says, chat }) => says("and now?", chat < 0 ? 102 : chat)));
  expect(leaks(seen)).toEqual([]);
  for (const { owner } of all) expect(lastTurn(seen, owner).includes(facts.get(owner) ?? "?")).toBe(true);

  // A group's notes are everybody's there.
  await stage.bot("acme").user(104).sends(group, "/memory");
  expect(await stage.sees("acme", group, "1. my treasure")).toContain(facts.get("acme"));

  // One person with two accounts; a code is nothing to another tenant.
  const [person, joiner, other] = [say("acme", 101), say("sales", 101), say("globex", 103)];
  const code = /\/link [A-Z2-9]{5}-[A-Z2-9]{5}/;
  await person.says("/link");
  const issued = await eventually("a code", () => code.exec(stage.said("acme", 101).join("\n"))?.[0]);
  expect(await other.says(issued)).toContain("not a code I know");
  await joiner.says(issued);
  await stage.sees("sales", 101, "Linked:");
  const persons = [["acme101", "sales101"]];
  for (const { says, owner } of [person, joiner]) {
    await says("who am I?");
    const last = lastTurn(seen, owner);
    for (const known of ["acme101", "sales101"]) expect(last).toContain(facts.get(known));
  }
  expect(await joiner.says("search")).toContain(facts.get("acme101"));
  await Promise.all(all.map(({ says, chat }) => says("search again", chat < 0 ? 101 : chat)));
  expect(leaks(seen, persons)).toEqual([]);

  await joiner.says("/unlink");
  await stage.sees("sales", 101, "Unlinked:");
  seen.length = 0;
  await joiner.says("and who am I now?");
  expect(await joiner.says("search")).toContain("Nothing was found");
  expect(ownersIn(seen.map(({ body }) => body).join("\n"))).toEqual([]);
  await person.says("and I?");
  expect(lastTurn(seen, "acme101")).toContain(facts.get("sales101"));
}, 240_000);

test("/memory shows and deletes; /reset keeps notes, /export has them, /forget leaves nothing", async () => {
  const stage = await openStage({ config: { agents: { assistant: { context: { historyItems: 2 } } } } });
  const seen: Seen[] = [];
  stage.model.script(obey(seen));
  const ann = 7;
  onTestFailed(() => console.error(said(stage, ann)));
  const says = async (text: string, what: string) => {
    const before = said(stage, ann).length;
    await stage.platform.user(ann).sends(ann, text);
    return eventually(what, () =>
      said(stage, ann)
        .slice(before)
        .findLast((one) => one.includes(what)),
    );
  };
  const shown = async () => {
    await says("hello there", "heard:");
    return lastTurn(seen);
  };
  await says("/memory", "noted nothing");
  const [first, second] = [factOf("ann"), factOf("ann")];
  await says(first, "It is noted");
  await says(second, "It is noted");
  await says("/memory", "These are my notes");
  const list = await eventually("the list", () => said(stage, ann).find((one) => one.includes(`2. ${second}`)));
  expect(list).toMatch(new RegExp(`1\\. ${first} \\(20..-..-.., telegram\\)\\n2\\. ${second}`));
  await says("/memory delete 7", "no note 7");
  await says("/reset", "forgotten our conversation");
  expect(await shown()).toMatch(new RegExp(`\\[notes\\] [^\\n]*${first}[^\\n]*${second}`));
  await says("/memory delete 1", "note 1 is deleted");
  await says("/memory delete 1", "no note 1");
  await says("/memory off", "take no notes");
  expect(ownersIn(await shown())).toEqual([]);
  await says(factOf("ann"), "turned them off");
  await says("/memory", "from before");
  await says("/memory on", "take notes again");
  expect(await shown()).toContain(second);
  await says("/memory nonsense", "I understand");
  await says("/memory clear", "all my notes are deleted");
  await says("/memory", "noted nothing");

  const last = factOf("ann");
  await says(last, "It is noted");
  for (let n = 0; n < 8; n++) await says(`small talk ${n}`, `talk ${n}`);
  await says("search", last);
  await says("/forget", "/forget yes");
  await says("/forget yes", "I have erased");
  expect(ownersIn(await shown())).toEqual([]);
  await stage.gateway.terminate();
  const kept = readdirSync(stage.gateway.data, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && ownersIn(readFileSync(join(entry.parentPath, entry.name), "latin1")).length > 0,
  );
  expect(kept.map(({ name }) => name)).toEqual([]);
}, 120_000);
