import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { channelKinds } from "../../src/main/channels.ts";
import { accounts, withChannelTable } from "../house/channel-table.ts";

const readme = readFileSync("README.md", "utf8");

test("the README says what the channels can do today: npm run readme", async () => {
  expect(readme).toBe(await withChannelTable(readme));
});

test("every channel has a column", () => {
  expect(new Set(accounts.map(({ name }) => name))).toEqual(new Set(Object.keys(channelKinds)));
});
