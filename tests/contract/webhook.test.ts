import { expect, it } from "vitest";
import { TerminalError } from "../../src/errors.ts";
import { probe, type Probe } from "./channel-deps.ts";
import { textIn } from "./channel-tools.ts";
import { channelContract } from "./channel.ts";
import { contracts, makeWebhook, type WebhookPlatform } from "./webhook.ts";

for (const contract of contracts) channelContract(contract);

const main = { tenant: "acme", channel: "webhook", account: "main" };

async function opened(body: (platform: WebhookPlatform, seen: Probe) => Promise<void>) {
  const platform = await makeWebhook();
  const seen = probe(main);
  const running = await platform.start(seen.deps);
  try {
    await body(platform, seen);
  } finally {
    await running.stop();
    await platform.close();
  }
}

it("webhook: what nobody can read, and what can never be accepted, is refused for good and blocks nothing", () =>
  opened(async (platform, seen) => {
    const unreadable = platform.post({ text: 7 });
    seen.refusals.push(new TerminalError("not for us"));
    const poison = platform.post({ text: "poison" });
    platform.post({ text: "still here" });
    await seen.waitFor("the next message", (events) => events.length === 1);
    expect(textIn(seen.accepted[0])).toBe("still here");
    expect([...platform.box.refused]).toEqual([
      [unreadable.id, 400],
      [poison.id, 422],
    ]);
    expect(seen.lines.filter((line) => line.includes('"level":"error"'))).toHaveLength(1);
  }));

it("webhook: an attachment comes in as its address, and a private one does not", () =>
  opened(async (platform, seen) => {
    const [good, bad] = ["https://8.8.8.8/a.png", "http://169.254.169.254/latest/meta-data"];
    const refused = platform.post({ attachments: [{ url: bad }] });
    platform.post({ attachments: [{ url: good, type: "image/png" }] });
    await seen.waitFor("the file", (events) => events.length === 1);
    const [event] = seen.accepted;
    expect(event?.kind === "message" && event.message.parts).toEqual([
      { kind: "image", source: { from: "url", url: good }, type: "image/png" },
    ]);
    expect(platform.box.refused.get(refused.id)).toBe(400);
  }));
