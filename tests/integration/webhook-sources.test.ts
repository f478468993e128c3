/** A source that posts in its own words, on the real gateway: what its mapping does not fit is read again once it is mended. */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createGateway } from "./gateway-process.ts";
import { eventually } from "./stage.ts";

const secret = "secret-of-the-source";
const configOf = (text: string) => ({
  channels: {
    web: { main: { enabled: false } },
    webhook: { desk: { secret, signature: { scheme: "secret" }, mapping: { text, user: '"u"', conversation: '"c"' } } },
  },
});

test("an event that no mapping fitted is answered after its dead letter is retried", { timeout: 60_000 }, async () => {
  const gateway = await createGateway({ config: configOf("ticket"), env: () => ({ ASCENT_CONFIG: "ascent.yaml" }) });
  onTestFinished(() => gateway.close());
  await gateway.start();
  const post = () =>
    fetch(`${gateway.url}/webhooks/in/desk`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ ticket: { words: "what is 12*7+3?" } }),
    });
  expect((await post()).status).toBe(202);
  const { out } = await gateway.ascent("deadletters", "list");
  const id = /^inbound:\S+/m.exec(out)?.[0] ?? "";
  expect(out).toContain("MappingError: text: gives a list or an object");
  expect(out + gateway.output()).not.toContain("12*7");
  expect(await gateway.ascent("deadletters", "retry", id)).toMatchObject({ code: 1 });

  await gateway.terminate();
  await writeFile(join(dirname(gateway.data), "ascent.yaml"), JSON.stringify(configOf("ticket.words")));
  await gateway.start();
  expect(await gateway.ascent("deadletters", "retry", id)).toMatchObject({ code: 0 });
  expect((await gateway.ascent("deadletters", "list")).out).toBe("There are no dead letters.\n");
  // Posted again it is the same event, which is answered by now.
  const answer = await eventually("the answer", async () => {
    const { answer: given } = (await (await post()).json()) as { answer?: { text: string } };
    return given?.text;
  });
  expect(answer).toContain("87");
});

test("the gateway says which expression is none, and does not start", { timeout: 60_000 }, async () => {
  const gateway = await createGateway({ config: configOf("a +"), env: () => ({ ASCENT_CONFIG: "ascent.yaml" }) });
  onTestFinished(() => gateway.close());
  await expect(gateway.start()).rejects.toThrow("channels.webhook.desk.mapping.text: is no JSONata expression");
});
