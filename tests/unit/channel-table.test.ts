import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { channelKinds } from "../../src/main/channels.ts";
import { channelTable, withChannelTable } from "../house/channel-table.ts";

const readme = readFileSync("README.md", "utf8");

test("the README says what the channels can do today: npm run readme", () => {
  expect(readme).toBe(withChannelTable(readme));
});

test("every channel has a column", () => {
  const [head = ""] = channelTable().split("\n");
  expect(head.split("|").length - 3).toBeGreaterThanOrEqual(Object.keys(channelKinds).length);
});
