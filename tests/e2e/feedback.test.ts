/** Thumbs under the answers of the chat page, by mouse and by keyboard. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGateway, type GatewayProcess } from "../integration/gateway-process.ts";
import { needs } from "../needs.ts";
import { answered, launch, overflowing, picture, say, visitor } from "./browser.ts";

const program = needs("chromium");

describe.skipIf(program.missing)("the page with thumbs", () => {
  let gateway: GatewayProcess;
  let browser: Browser;

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([
      createGateway({
        config: { feedback: { enabled: true, asks: true } },
        env: () => ({ ASCENT_MODEL: "demo", ASCENT_CONFIG: "ascent.yaml" }),
      }),
      launch(program.path),
    ]);
    await gateway.start();
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  test("one is put on, asked about, kept over a reload, and taken back by the keyboard", async () => {
    const guest = await visitor(browser, [new URL(gateway.url).host]);
    const { page } = guest;
    await page.goto(gateway.url);
    await say(page, "hello there");
    await answered(page, "Hello!");
    const group = page.getByRole("group", { name: "Rate this answer" });
    const down = group.getByRole("button", { name: "Bad answer" });
    const up = group.getByRole("button", { name: "Good answer" });
    await down.click();
    expect(await down.getAttribute("aria-pressed")).toBe("true");
    await page.getByLabel("What was wrong?").fill("too short");
    await picture(page, "feedback-asks");
    expect(await overflowing(page)).toEqual([]);
    await page.locator(".why").getByRole("button", { name: "Send" }).click();
    await page.getByText("Thank you.").waitFor();
    expect((await gateway.ascent("feedback", "list")).out).toContain("too short");

    await page.reload();
    await answered(page, "Hello!");
    expect(await down.getAttribute("aria-pressed")).toBe("true");
    await picture(page, "feedback-kept");
    await down.focus();
    await page.keyboard.press("Space");
    expect(await down.getAttribute("aria-pressed")).toBe("false");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    expect(await up.getAttribute("aria-pressed")).toBe("true");
    await page.waitForTimeout(500);
    expect((await gateway.ascent("feedback", "list")).out).toMatch(/👍 1 {2}👎 0/);
    await guest.context.close();
    expect(guest.wrong).toEqual([]);
  }, 60_000);
});
