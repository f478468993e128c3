/** The page in a frame of another site, and on screens of every kind. */
import type { Browser, Frame, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, type Listening } from "../fakes/http.ts";
import { createGateway, type GatewayProcess } from "../integration/gateway-process.ts";
import { needs } from "../needs.ts";
import { answered, launch, overflowing, patience, picture, say, visitor } from "./browser.ts";

const program = needs("chromium");

describe.skipIf(program.missing)("the page elsewhere", () => {
  let gateway: GatewayProcess;
  let browser: Browser;
  let site: Listening;
  let allowed: string;
  let refused: string;

  beforeAll(async () => {
    // Two sites on one port: names below localhost lead to this machine, and are sites of their own.
    site = await listen((_request, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(sitePage(gateway.url));
    });
    allowed = `http://shop.localhost:${site.port}`;
    refused = `http://stranger.localhost:${site.port}`;
    [gateway, browser] = await Promise.all([
      createGateway({ env: () => ({ ASCENT_MODEL: "demo", ASCENT_EMBED_ORIGINS: allowed }) }),
      launch(program.path),
    ]);
    await gateway.start();
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
    await site?.close();
  });
  const hosts = () => [gateway.url, allowed, refused].map((url) => new URL(url).host);

  test("in an allowed site's frame it talks, remembers, and closes by Escape", async () => {
    const { page, context, wrong } = await visitor(browser, hosts());
    await page.goto(allowed);
    const frame = await openFrame(page);
    await frame.getByText("What’s on your mind?").waitFor();
    await frame.getByRole("button", { name: "Give me a choice to make" }).click();
    await frame.getByRole("button", { name: "Tea" }).click();
    // While an answer is written, Escape would stop that.
    await answered(frame, "go on from there.");
    await picture(page, "embed");
    await page.keyboard.press("Escape");
    await page.locator("ascent-chat .panel").waitFor({ state: "hidden" });
    expect(await page.evaluate(() => document.querySelector("ascent-chat")?.shadowRoot?.activeElement?.className)).toBe(
      "launcher",
    );
    await page.reload();
    const again = await openFrame(page);
    await again.getByText("You chose Tea").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("no other site can show it or act in its name", async () => {
    const { page, context, wrong } = await visitor(browser, hosts());
    await page.goto(refused);
    const frame = await openFrame(page);
    await expect.poll(() => frame.url(), { timeout: patience }).toMatch(/^chrome-error:/);
    expect(wrong.splice(0).join()).toMatch(/frame-ancestors/);
    const tried = await page.evaluate(async (url) => {
      const post = await fetch(`${url}/api/session`, { method: "POST", credentials: "include" }).catch(() => "refused");
      const get = await fetch(`${url}/api/messages`, { credentials: "include" }).catch(() => "refused");
      return [post, get].map(String);
    }, gateway.url);
    expect(tried).toEqual(["refused", "refused"]);
    const answer = await fetch(`${gateway.url}/api/session`, { method: "POST", headers: { origin: refused } });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([403, null]);
    await context.close();
  });

  const screens = {
    phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
    "phone-dark": {
      viewport: { width: 360, height: 740 },
      isMobile: true,
      hasTouch: true,
      deviceScaleFactor: 2,
      colorScheme: "dark",
    },
    "desktop-dark": { colorScheme: "dark" },
  } as const;
  for (const [name, screen] of Object.entries(screens)) {
    test(`${name}: nothing stands out of the window`, async () => {
      const { page, context, wrong } = await visitor(browser, hosts(), screen);
      await page.goto(gateway.url);
      await page.getByText("What’s on your mind?").waitFor();
      expect(await overflowing(page)).toEqual([]);
      await picture(page, `${name}-welcome`);
      await say(page, "show markdown");
      await answered(page, "A quotation.");
      await say(page, `Supercalifragilistic${"expialidocious".repeat(12)} https://example.org/${"a/".repeat(80)}`);
      await answered(page, "You wrote: “Supercali");
      await say(page, "send me a picture");
      await page.locator("a.picture[data-loaded=true]").waitFor();
      expect(await overflowing(page)).toEqual([]);
      await picture(page, `${name}-end`);
      await page.locator(".line.agent table").scrollIntoViewIfNeeded();
      await picture(page, name);
      const [ground, ink] = await page.evaluate(() => {
        const style = getComputedStyle(document.querySelector(".app") ?? document.body);
        return [getComputedStyle(document.body).backgroundColor, style.color];
      });
      expect(brightness(ground) > brightness(ink)).toBe(!name.endsWith("dark"));
      await page.goto(`${gateway.url}/docs`);
      await page.getByText("/api/messages").first().waitFor();
      expect(await overflowing(page)).toEqual([]);
      await picture(page, `${name}-docs`);
      expect(wrong).toEqual([]);
      await context.close();
    });
  }

  test("a phone shows the embedded page over the whole window", async () => {
    const { page, context, wrong } = await visitor(browser, hosts(), screens.phone);
    await page.goto(allowed);
    const frame = await openFrame(page);
    await frame.getByText("What’s on your mind?").waitFor();
    await picture(page, "embed-phone");
    expect(await page.locator("ascent-chat iframe").boundingBox()).toMatchObject({ x: 0, y: 0, width: 360 });
    await frame.getByRole("button", { name: "Close" }).click();
    await page.locator("ascent-chat .panel").waitFor({ state: "hidden" });
    expect(wrong).toEqual([]);
    await context.close();
  });
});

async function openFrame(page: Page): Promise<Frame> {
  await page.getByRole("button", { name: "Ask us" }).click();
  const handle = await page.locator("ascent-chat iframe").elementHandle();
  const frame = await handle?.contentFrame();
  if (frame == null) throw new Error("embed.js made no frame");
  return frame;
}

/** A site with a policy of its own and styles that would break what is not kept apart. */
function sitePage(gateway: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <meta http-equiv="content-security-policy" content="script-src ${gateway}; frame-src ${gateway}">
    <title>A shop</title><link rel="icon" href="data:,">
    <style>* { font-family: serif; } button, iframe { display: inline; width: 30px; background: red !important; }</style>
    <h1>A shop</h1><p>Lamps, clocks and letters.</p>
    <script src="${gateway}/embed.js" data-label="Ask us" async></script></html>`;
}

/** 0 to 765, of a computed colour. */
function brightness(colour = ""): number {
  const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return r + g + b;
}
