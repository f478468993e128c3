import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { printable } from "../../src/main/commands/printable.ts";
import { ConfigError, loadConfig } from "../../src/main/config.ts";
import { accessOf, describeAccess } from "../../src/main/policies.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ascent-policies-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function access(yaml: string, environment: Record<string, string> = {}) {
  const path = join(folder, "ascent.yaml");
  writeFileSync(path, yaml);
  const { policyOf, newCode } = accessOf(await loadConfig({ ...environment, ASCENT_CONFIG: path }));
  const of = (channel: string, account = "main") => policyOf({ tenant: "default", channel, account });
  return { of, newCode };
}

describe("who may write, in words", () => {
  async function words(yaml: string, environment: Record<string, string> = {}) {
    const path = join(folder, "ascent.yaml");
    writeFileSync(path, yaml);
    return describeAccess(await loadConfig({ ...environment, ASCENT_CONFIG: path }));
  }
  const yaml = `
    channels:
      telegram:
        main: { token: "5:x", access: pairing, allow: [7], block: ["8"], allowGroups: [-1, -2] }
        closed: { token: "6:x", access: allowlist, groups: off }
      webhook: { main: { secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= } }`;

  it("is said of each account", async () => {
    expect((await words(yaml)).map(({ account, text }) => [account, text])).toEqual([
      ["telegram/main", "whom an operator lets in, and one person on its list; in 2 groups; 1 blocked"],
      ["telegram/closed", "0 people on its list; not in groups"],
      ["web/main", "everybody; in all groups"],
      ["webhook/main", "whoever has its key; in all groups"],
    ]);
  });

  it("is a warning where strangers may write at a public address, and nowhere else", async () => {
    const exposed = async (environment: Record<string, string>) =>
      (await words(yaml, environment)).filter((one) => one.exposed).map(({ account }) => account);
    expect(await exposed({ PUBLIC_URL: "https://chat.example.org" })).toEqual(["web/main"]);
    expect(await exposed({ PUBLIC_URL: "https://chat.example.org", ASCENT_ACCESS: "pairing" })).toEqual([]);
    expect(await exposed({ PUBLIC_URL: "http://127.0.0.1:3000" })).toEqual([]);
    expect(await exposed({})).toEqual([]);
  });
});

describe("who may write, as configured", () => {
  it("is everybody unless said otherwise, and people of messaging channels thirty times a minute", async () => {
    const { of } = await access(
      "channels: { webhook: { main: { secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= } } }",
    );
    expect(of("web")).toMatchObject({ access: "open", groups: "mention", bots: false, allowGroups: undefined });
    expect(of("web").perMinute).toEqual({ person: 30, account: Infinity, tenant: Infinity });
    expect(of("webhook").perMinute).toEqual({ person: Infinity, account: Infinity, tenant: Infinity });
  });

  it("is an account's own before it is everybody's", async () => {
    const yaml = `
      channels:
        web: { main: {}, open: { access: open, messagesPerMinute: { person: off, account: 100 } } }
        telegram: { main: { token: "5:x", block: [7, "8"], allowGroups: [-1001], groups: always, bots: true } }`;
    const { of } = await access(yaml, {
      ASCENT_ACCESS: "allowlist",
      ASCENT_MESSAGES_PER_MINUTE: "7",
      TELEGRAM_ALLOW: "1, 2",
    });
    expect(of("web")).toMatchObject({ access: "allowlist", perMinute: { person: 7, account: Infinity } });
    expect(of("web", "open")).toMatchObject({ access: "open", perMinute: { person: Infinity, account: 100 } });
    expect(of("telegram")).toMatchObject({
      allow: new Set(["1", "2"]),
      block: new Set(["7", "8"]),
      allowGroups: new Set(["-1001"]),
      groups: "always",
      bots: true,
    });
  });

  it.each([
    ["access: closed", "must be one of open, allowlist, pairing"],
    ["channels: { web: { main: { access: maybe } } }", "must be one of open, allowlist, pairing"],
    ["channels: { web: { main: { groups: sometimes } } }", "must be one of mention, reply, always, off"],
    ["channels: { web: { main: { allow: [1234567890123456789] } } }", "long ones in quotes"],
    ["channels: { web: { main: { block: [''] } } }", "must be an id"],
    ["channels: { web: { main: { allow: everybody } } }", "channels.web.main.allow"],
    ["limits: { messagesPerMinute: { person: 0 } }", 'must be a whole number from 1 on, or "off"'],
    ["limits: { messagesPerMinute: { person: many } }", 'must be a whole number from 1 on, or "off"'],
    ["channels: { web: { main: { messagesPerMinute: { persons: 3 } } } }", "has no setting persons"],
  ])("%s is refused: %s", async (yaml, words) => {
    const error: unknown = await access(yaml).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems.join("\n")).toContain(words);
  });
});

describe("codes", () => {
  it("are eight letters and digits that nobody confuses, each as likely as any other", async () => {
    const { newCode } = await access("{}");
    const codes = Array.from({ length: 4_000 }, newCode);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{8}$/);
    const counts = Object.values(Object.groupBy(codes.join(""), (one) => one)).map((all) => all?.length ?? 0);
    expect(counts).toHaveLength(32);
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });
});

describe("what people call themselves", () => {
  it("moves no cursor and turns no text on an operator's terminal", () => {
    expect(printable("\u001b[2J\u009b1A\u202e\u0007Ann\n")).toBe("\ufffd[2J\ufffd1A\ufffd\ufffdAnn\ufffd");
  });
});
