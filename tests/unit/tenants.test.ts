/** What the settings may say of tenants, and what is made of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, loadConfig } from "../../src/main/config.ts";
import { accessOf } from "../../src/main/policies.ts";
import { areSeveral, turnPlaces } from "../../src/main/tenants.ts";
import type { Shares } from "../../src/shares.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ascent-tenants-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const acme = 'telegram: { acme: { token: "1:one", tenant: acme } }';
const both = 'telegram: { acme: { token: "1:one", tenant: acme }, globex: { token: "2:two", tenant: globex } }';
const noPage = "web: { main: { enabled: false } }";

function load(yaml: string, environment: Record<string, string> = {}) {
  const path = join(folder, "ascent.yaml");
  writeFileSync(path, yaml);
  return loadConfig({ ASCENT_CONFIG: path, ...environment });
}
async function problems(...given: Parameters<typeof load>): Promise<readonly string[]> {
  const error: unknown = await load(...given).catch((thrown: unknown) => thrown);
  if (!(error instanceof ConfigError))
    throw new Error(`the configuration was taken, or failed otherwise: ${String(error)}`);
  return error.problems;
}

describe("tenants in ascent.yaml", () => {
  it.each([
    [`tenants: { acme: {} }\nchannels: { ${acme} }`, 'channels.web.main.tenant: there is no tenant "default"'],
    [`tenants: { acne: {} }\nchannels: { ${acme}, ${noPage} }`, "tenants names acne"],
    [`tenants: { acne: {} }\nchannels: { ${acme}, ${noPage} }`, 'write "tenant: acne" under one, or leave it out'],
    [`tenants: { acme: { limit: {} } }\nchannels: { ${acme}, ${noPage} }`, "has no setting limit"],
    [`tenants: { acme: { limits: { turns: 0 } } }\nchannels: { ${acme}, ${noPage} }`, "tenants.acme.limits.turns"],
    [
      `tenants: { acme: { limits: { turns: 2001 } } }\nchannels: { ${acme}, ${noPage} }`,
      "more than limits.turns (2000)",
    ],
    [
      `tenants: { acme: { limits: { messagesPerMinute: never } } }\nchannels: { ${acme}, ${noPage} }`,
      'tenants.acme.limits.messagesPerMinute: must be a whole number from 1 on, or "off"',
    ],
  ])("%s is refused: %s", async (yaml, words) => {
    expect((await problems(yaml)).join("\n")).toContain(words);
  });

  it("need not be named: then any account may have any", async () => {
    const config = await load(`channels: { ${both} }`);
    expect(config.tenants).toBeUndefined();
    expect(areSeveral(config)).toBe(true);
    expect(areSeveral(await load("{}"))).toBe(false);
  });

  it("may be those of accounts that are off for a time", async () => {
    const off = acme.replace("tenant: acme", "tenant: acme, enabled: false");
    expect((await load(`tenants: { acme: {}, default: {} }\nchannels: { ${off} }`)).tenants).toHaveProperty("acme");
  });

  it("have the rates of their messages in the policy of each of their accounts", async () => {
    const tenants = "tenants: { acme: { limits: { messagesPerMinute: 50 } }, globex: {} }";
    const { policyOf } = accessOf(await load(`${tenants}\nchannels: { ${both}, ${noPage} }`));
    const of = (name: string) => policyOf({ tenant: name, channel: "telegram", account: name }).perMinute.tenant;
    expect([of("acme"), of("globex")]).toEqual([50, Infinity]);
  });
});

describe("places for turns", () => {
  const fill = (places: Shares, tenant: string) => {
    let count = 0;
    for (; places.fits(tenant, 1); count++) places.take(tenant, 1);
    return count;
  };

  it("are all the only tenant's", async () => {
    expect(fill(turnPlaces(await load("limits: { turns: 8 }")), "default")).toBe(8);
  });

  it("are left to others where there are any, and bounded as the settings say", async () => {
    const places = turnPlaces(await load(`limits: { turns: 8 }\nchannels: { ${both} }`));
    expect([fill(places, "acme"), fill(places, "globex"), fill(places, "default")]).toEqual([4, 2, 1]);
    const tenants = "tenants: { acme: { limits: { turns: 7 } }, globex: {} }";
    const capped = turnPlaces(await load(`limits: { turns: 8 }\n${tenants}\nchannels: { ${both}, ${noPage} }`));
    expect([fill(capped, "acme"), fill(capped, "globex")]).toEqual([7, 1]);
  });
});

describe("secrets of several accounts", () => {
  const yaml = [
    `channels: { ${noPage}, telegram: {`,
    "acme: { token: '${ACME_TOKEN}', tenant: acme }, globex: { token: '${GLOBEX_TOKEN}', tenant: globex } } }",
  ].join(" ");

  it("stand in the environment under names of their own, not in the file", async () => {
    const { channels } = await load(yaml, { ACME_TOKEN: "1:one", GLOBEX_TOKEN: "2:two" });
    expect(channels["telegram"]).toMatchObject({ acme: { token: "1:one" }, globex: { token: "2:two" } });
  });

  it("that are missing are named with the account that wants them, and no other secret is said", async () => {
    const [problem, ...more] = await problems(yaml, { ACME_TOKEN: "1:one" });
    expect(more).toEqual([]);
    expect(problem).toMatch(/channels\.telegram\.globex\.token uses \$\{GLOBEX_TOKEN\}, which is not set/);
    expect(problem).not.toContain("1:one");
  });
});
