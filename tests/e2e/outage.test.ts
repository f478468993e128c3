/** The page stays open while the gateway ends, in order or by kill -9, and comes back. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGateway, type GatewayProcess } from "../integration/gateway-process.ts";
import { needs } from "../needs.ts";
import { answered, answers, answersOf, launch, patience, picture, say, visitor } from "./browser.ts";

const program = needs("chromium");

describe.skipIf(program.missing)("the page while the gateway is away", () => {
  let gateway: GatewayProcess;
  let browser: Browser;

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([
      createGateway({ env: () => ({ ASCENT_MODEL: "demo" }), config: { server: { graceSeconds: 3 } } }),
      launch(program.path),
    ]);
    await gateway.start();
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  const ends = {
    "ends by SIGTERM": () => gateway.terminate(),
    "is killed": () => gateway.kill(),
  };
  for (const [how, end] of Object.entries(ends)) {
    test(`what was asked before and is written meanwhile is answered once when it ${how}`, async () => {
      const { page, context, wrong } = await visitor(browser, [new URL(gateway.url).host]);
      await page.goto(gateway.url);
      await say(page, "alpha before");
      await answered(page, "alpha before");
      await say(page, "write a long story");
      await page.locator(".line.agent[aria-busy=true]").waitFor();
      await end();

      await page.getByText("What you write is kept, and sent once the connection is back.").waitFor();
      await say(page, "bravo meanwhile");
      await say(page, "charlie meanwhile");
      await page.getByText("Not sent yet, trying again…").first().waitFor();
      await picture(page, how === "is killed" ? "offline" : "offline-sigterm");
      // Nothing can be stopped out there, and nothing was.
      expect(await page.getByRole("button", { name: "Stop", exact: true }).count()).toBe(0);
      await page.evaluate(() => {
        const look = () => document.querySelector(".thread")?.textContent?.includes("Stopped") === true;
        new MutationObserver(() => look() && console.error("TEST RAN into Stopped")).observe(document.body, {
          childList: true,
          subtree: true,
        });
      });
      await gateway.start();

      for (const text of ["The end.", "bravo meanwhile", "charlie meanwhile"]) await answered(page, text);
      await page.locator(".banner").waitFor({ state: "detached" });
      await expect.poll(() => page.locator(".unsent").count(), { timeout: patience }).toBe(0);
      await settled(page);
      const once = ["alpha before", "write a long story", "bravo meanwhile", "charlie meanwhile"];
      expect(await answersOf(page)).toEqual(new Map(once.map((text) => [text, 1])));
      const said = (await answers(page)).join("\n");
      for (const words of ["The end.", "“alpha before”", "“bravo meanwhile”", "“charlie meanwhile”"]) {
        expect([words, said.split(words).length - 1]).toEqual([words, 1]);
      }
      expect(await page.locator(".line.user .bubble").allInnerTexts()).toEqual(once);
      await page.reload();
      await answered(page, "charlie meanwhile");
      expect((await answers(page)).join("\n")).toBe(said);
      expect(wrong).toEqual([]);
      await context.close();
    });
  }

  test("a page that is opened while the gateway is away says so, and opens when it is back", async () => {
    const { page, context, wrong } = await visitor(browser, [new URL(gateway.url).host]);
    await page.goto(gateway.url);
    await page.getByText("What’s on your mind?").waitFor();
    await page.route("**/api/**", (route) => route.abort());
    await page.reload();
    await page.getByText("The chat could not be opened").waitFor();
    await picture(page, "failed");
    await page.unroute("**/api/**");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("What’s on your mind?").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });
});

/** Nothing is being worked on any more. */
async function settled(page: Page): Promise<void> {
  const running = () =>
    page.evaluate(async () => ((await (await fetch("/api/messages")).json()) as { running: boolean }).running);
  await expect.poll(running, { timeout: patience }).toBe(false);
  await page.waitForTimeout(300);
}
