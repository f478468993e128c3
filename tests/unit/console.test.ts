import { Validator } from "@seriousme/openapi-schema-validator";
import { afterEach, describe, expect, test } from "vitest";
import { createConsole } from "../../channels/console/index.ts";
import { svgOf } from "../../channels/console/format.ts";
import { operatorsSettings } from "../../channels/console/settings.ts";
import { networkOf } from "../../channels/console/verify.ts";
import { createConnections } from "../../src/connections.ts";
import type { Channel, LinkState } from "../../src/channel.ts";
import { operationsOf, type Operated, type Operator } from "../../src/operations.ts";
import type { ListedLetter } from "../../src/ports.ts";
import { qrOf } from "../../src/qr.ts";
import { clock, probe, type Probe } from "../contract/channel-deps.ts";

const key = "op-a-key-of-these-tests";
const account = { tenant: "acme", channel: "whatsapp", account: "main" };

describe("the console", () => {
  const parts = () => ({
    operators: operatorsSettings.parse([key, { name: "ann", key: `${key}-ann`, tenant: "acme" }]),
    operationsOf: (operator: Operator) => operationsOf({ channels: [], runtime: {} } as unknown as Operated, operator),
    examine: async () => [],
    clock,
    log: probe(account).deps.log,
  });
  const ask = (path: string, bearer?: string) =>
    new Request(`http://gateway/api/console/v1${path}`, {
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });

  test("is described by a valid OpenAPI document, in which every operation wants a key", async () => {
    const response = await createConsole(parts()).handle(ask("/openapi.json"));
    expect(response.status).toBe(200);
    const document = (await response.json()) as { paths: Record<string, Record<string, { security: unknown }>> };
    expect(await new Validator().validate(document)).toMatchObject({ valid: true });
    const operations = Object.values(document.paths).flatMap((of) => Object.values(of));
    expect(operations.length).toBeGreaterThan(14);
    for (const { security } of operations) expect(security).toEqual([{ key: [] }]);
  });

  test("counts wrong keys by address, so that one who guesses shuts nobody else out", async () => {
    const handler = createConsole(parts());
    const tries = Array.from({ length: 25 }, (_, at) =>
      handler.handle(ask("/channels", `wrong-key-${at}`), "2001:db8::1"),
    );
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
    expect((await handler.handle(ask("/channels", key), "2001:db8::2")).status).toBe(429);
    expect((await handler.handle(ask("/channels", key), "2001:db8:0:1::2")).status).toBe(200);
    expect((await handler.handle(ask("/channels", key), "127.0.0.1")).status).toBe(200);
  });

  test("takes a subnet of IPv6 for one address", () => {
    const same = ["2001:db8::1", "2001:db8:0:0:1:2:3:4", "2001:db8:0:0::9"];
    expect(new Set(same.map(networkOf))).toEqual(new Set(["2001:db8:0:0"]));
    expect(networkOf("::ffff:192.0.2.7")).toBe("192.0.2.7");
    expect(networkOf("::1")).toBe("0:0:0:0");
    expect(networkOf("fe80::1%eth0")).toBe("fe80:0:0:0");
  });

  test("finds a tenant's dead letters among those of others", async () => {
    const letters = Array.from({ length: 950 }, (_, at): ListedLetter => {
      const subject = `${at % 300 === 0 ? "acme" : "other"}:telegram:main:${at}`;
      return { id: `l${at}`, n: 950 - at, event: { subject } as never, topic: "outbound", reason: "", attempts: 1, at };
    });
    const list = async (limit: number, before = Infinity) => letters.filter(({ n }) => n < before).slice(0, limit);
    const deadLetters = { list, get: async (id: string) => letters.find((one) => one.id === id) };
    const operated = { channels: [], runtime: { deadLetters, journal: {} } } as unknown as Operated;
    const own = operationsOf(operated, { name: "ann", tenant: "acme" });
    const first = await own.deadLetters(3);
    expect(first.map(({ id }) => id)).toEqual(["l0", "l300", "l600"]);
    expect((await own.deadLetters(3, first.at(-1)?.n)).map(({ id }) => id)).toEqual(["l900"]);
    expect(await own.deadLetter("l1")).toBeUndefined();
    expect((await own.deadLetter("l300"))?.id).toBe("l300");
  });
});

describe("the code to scan", () => {
  test("as an image has the modules of the code, in a border", () => {
    const code = qrOf("2@scan-me");
    const svg = svgOf("2@scan-me");
    const dark = new Set(
      [...svg.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => `${Number(x) - 4},${Number(y) - 4}`),
    );
    expect(dark).toEqual(new Set(code.flatMap((row, y) => row.flatMap((on, x) => (on ? [`${x},${y}`] : [])))));
    expect(svg).toContain(`viewBox="0 0 ${code.length + 8} ${code.length + 8}"`);
  });
});

describe("connections of several replicas", () => {
  const seen: Probe = probe(account);
  afterEach(() => seen.records.clear());
  const replica = (instance: string) =>
    createConnections({ records: seen.deps.records, clock, log: seen.deps.log, instance, shared: true });
  const holds = (holder: string) =>
    seen.deps.records.put("lease:acme:whatsapp:main", { v: 1, holder, token: 1, beat: 0 });
  const channel = (watchLink?: Channel["watchLink"]) =>
    ({ ...account, connect: async () => ({ closed: Promise.resolve() }), watchLink }) as unknown as Channel;

  test("one that holds nothing tells what the holder kept, and nothing of a former holder", async () => {
    const [one, two] = [replica("one"), replica("two")];
    let tell: (link: LinkState) => void = () => undefined;
    one.watch(channel((listener) => (tell = listener)));
    expect(await two.stateOf(channel())).toEqual({ state: "connecting", here: true });
    await holds("one");
    expect(await two.stateOf(channel())).toEqual({ state: "elsewhere", here: false });
    one.report(account, "connecting");
    const code = { text: "scan-me", until: Date.now() + 60_000 };
    tell({ state: "waiting for a scan", code });
    await expect.poll(() => two.stateOf(channel())).toMatchObject({ here: false, link: { code } });
    expect(await one.stateOf(channel())).toMatchObject({ here: true, state: "connecting", link: { code } });
    await holds("three");
    expect(await two.stateOf(channel())).toEqual({ state: "elsewhere", here: false });
    one.release(account);
    expect(await one.stateOf(channel())).toEqual({ state: "elsewhere", here: false });
  });

  test("a code that is over is shown to nobody", async () => {
    const [one, two] = [replica("one"), replica("two")];
    let tell: (link: LinkState) => void = () => undefined;
    one.watch(channel((listener) => (tell = listener)));
    await holds("one");
    one.report(account, "connecting");
    tell({ state: "waiting for a scan", code: { text: "scan-me", until: Date.now() - 1 } });
    await expect.poll(() => two.stateOf(channel())).toMatchObject({ link: { state: "waiting for a scan" } });
    for (const replica of [one, two]) expect(JSON.stringify(await replica.stateOf(channel()))).not.toContain("scan-me");
  });

  test("what could not be written is written later", async () => {
    const { records } = seen.deps;
    let down = true;
    const flaky = {
      ...records,
      put: (...of: Parameters<typeof records.put>) => (down ? Promise.reject(new Error("down")) : records.put(...of)),
    };
    let again: () => void = () => undefined;
    const waiting = { ...clock, after: (_ms: number, task: () => void) => ((again = task), () => undefined) };
    const one = createConnections({
      records: flaky,
      clock: waiting,
      log: seen.deps.log,
      instance: "one",
      shared: true,
    });
    await holds("one");
    one.report(account, "connecting");
    one.report(account, "connected");
    await expect.poll(() => seen.lines.some((line) => line.includes("not known elsewhere"))).toBe(true);
    down = false;
    again();
    await expect.poll(() => replica("two").stateOf(channel())).toEqual({ state: "connected", here: false });
  });
});
