/** The chat page of the real gateway in a real browser: what a person does there, and what they see. */
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createGateway, type GatewayProcess } from "../integration/gateway-process.ts";
import { needs } from "../needs.ts";
import { answered, answers, launch, overflowing, picture, say, visitor, type Visitor } from "./browser.ts";

const program = needs("chromium");

describe.skipIf(program.missing)("the page", () => {
  let gateway: GatewayProcess;
  let browser: Browser;
  let guest: Visitor;
  let page: Page;

  beforeAll(async () => {
    [gateway, browser] = await Promise.all([
      createGateway({ env: () => ({ ASCENT_MODEL: "demo", ASCENT_OPERATOR_KEYS: "op-a-key-of-these-tests" }) }),
      launch(program.path),
    ]);
    await gateway.start();
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });
  beforeEach(async () => {
    guest = await visitor(browser, [new URL(gateway.url).host]);
    page = guest.page;
    await page.goto(gateway.url);
    await page.getByText("What’s on your mind?").waitFor();
  });
  afterEach(async () => {
    await guest.context.close();
    if (guest.wrong.length > 0) throw new Error(guest.wrong.join("\n"));
  });

  test("an answer grows while it is written, and a reload shows the same conversation", async () => {
    await say(page, "write a long story");
    const live = page.locator(".line.agent[aria-busy=true] .prose");
    const lengths = new Set<number>();
    await live.waitFor();
    while ((await live.count()) > 0) lengths.add((await live.allInnerTexts()).join("").length);
    expect(lengths.size).toBeGreaterThan(3);
    await answered(page, "The end.");
    await say(page, "hello there");
    await answered(page, "Hello!");
    const before = await page.locator(".line[role=article]").allInnerTexts();
    expect(before).toHaveLength(4);
    await page.reload();
    await answered(page, "Hello!");
    expect(await page.locator(".line[role=article]").allInnerTexts()).toEqual(before);
  });

  test("script in a message of the person or of the agent is text", async () => {
    const script =
      `<script>console.log("TEST RAN")</script><img src=x onerror='console.log("TEST RAN")'> ` +
      `[a](javascript:console.log("TEST%20RAN")) <a href="javascript:console.log('TEST RAN')">b</a> ![p](http://192.0.2.1/p.png)`;
    await say(page, script);
    // The demo model repeats it as markdown.
    await answered(page, "You wrote:");
    const shown = await page.locator(".line[role=article]").allInnerTexts();
    expect(shown[0]).toContain(script);
    expect(shown[1]).toContain(`<script>console.log("TEST RAN")</script>`);
    expect(await page.locator(".line script, .line img, .line [onerror], .line a[href^=javascript]").count()).toBe(0);
    for (const link of await page.locator(".dead-link").all()) await link.click();
    await page.reload();
    await answered(page, "You wrote:");
    expect(await page.locator(".line script, .line img, .line a[href^=javascript]").count()).toBe(0);
  });

  test("markdown is a table, code, a list and links that open elsewhere", async () => {
    await say(page, "show markdown");
    await answered(page, "A quotation.");
    const answer = page.locator(".line.agent").last();
    expect(await answer.locator("table th").allInnerTexts()).toEqual(["channel", "buttons", "markdown"]);
    expect(await answer.locator("table tbody tr").count()).toBe(3);
    expect(await answer.locator("figure.code pre").innerText()).toContain("return `Hello, ${name}!`;");
    expect(await answer.locator("ol > li").count()).toBe(2);
    expect(await answer.locator("strong").first().innerText()).toBe("Bold");
    const link = answer.getByRole("link", { name: "link" });
    expect(await link.getAttribute("target")).toBe("_blank");
    expect(await link.getAttribute("rel")).toContain("noopener");
    await picture(page, "desktop-light");
    expect(await overflowing(page)).toEqual([]);
  });

  test("files go up and come down byte for byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7) % 256));
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Attach files" }).click();
    await (await chooser).setFiles({ name: "größe & <b>.bin", mimeType: "application/octet-stream", buffer: bytes });
    await page.getByRole("list", { name: "Attachments to send" }).waitFor();
    await picture(page, "attachment");
    await say(page, "here it is");
    await answered(page, "I got größe &");
    const own = await download(page, page.locator(".line.user a.file"));
    expect(own.bytes.equals(bytes)).toBe(true);
    await say(page, "send me a file");
    await answered(page, "Here is a file.");
    const sent = await download(page, page.locator(".line.agent a.file"));
    expect(sent.name).toBe("demo.txt");
    expect(sent.bytes.toString()).toContain("Ascent's demo model");
    await say(page, "send me a picture");
    const image = page.locator(".line.agent a.picture[data-loaded=true] img");
    await image.waitFor();
    expect(await image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(240);
    await picture(page, "files");
  });

  test("a button is pressed once, and answered", async () => {
    await say(page, "offer me choices");
    const tea = page.getByRole("button", { name: "Tea" });
    await tea.click();
    await answered(page, "You chose Tea");
    await tea.click({ force: true });
    await page.getByRole("button", { name: "Coffee" }).click({ force: true });
    expect(await tea.getAttribute("aria-pressed")).toBe("true");
    expect(await page.locator(".line.user .bubble").allInnerTexts()).toEqual(["offer me choices", "Tea"]);
    await picture(page, "buttons");
  });

  test("a question that the gateway puts is answered by its buttons too", async () => {
    await say(page, "plan: ask me Shall I go on (Yes/No)");
    const yes = page.locator(".line.notice").getByRole("button", { name: "Yes" });
    await yes.click();
    await answered(page, "asked the person): done: Yes");
    expect(await yes.getAttribute("aria-pressed")).toBe("true");
    await picture(page, "question");
  });

  test("a reminder is set in the browser's time zone, which nobody asks for", async () => {
    const { timeZone } = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions());
    await say(page, "remind me tomorrow at 9:00 to call Bob");
    await answered(page, `09:00 (${timeZone})`);
    await picture(page, "reminder");
  });

  test("/stop ends an answer and /reset forgets the conversation", async () => {
    await say(page, "write a long story");
    await page.locator(".line.agent[aria-busy=true]").waitFor();
    await say(page, "/stop");
    await page.locator(".line.notice", { hasText: "Stopped" }).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
    await picture(page, "stopped");
    await say(page, "what is 3+4");
    await answered(page, "3+4 = 7");
    expect((await answers(page)).join()).not.toContain("The end.");
    await say(page, "/reset");
    await page.locator(".line.user").first().waitFor({ state: "detached" });
    await say(page, "what did I say before?");
    await answered(page, "You have said nothing before this.");
    await picture(page, "reset");
    expect(await page.getByText("3+4").count()).toBe(0);
    expect(await page.locator(".line.user .bubble").allInnerTexts()).toEqual(["what did I say before?"]);
  });

  test("everything can be done by keyboard alone", async () => {
    const { keyboard } = page;
    const focused = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "",
      );
    expect(await focused()).toBe("Message");
    await keyboard.type("offer me choices");
    await keyboard.press("Enter");
    await page.getByRole("button", { name: "Coffee" }).waitFor();
    await reach(page, "Coffee", "Shift+Tab");
    await keyboard.press("Enter");
    await answered(page, "You chose Coffee");
    expect(await focused(), "back in the composer").toBe("Message");
    await keyboard.type("one");
    await keyboard.press("Shift+Enter");
    await keyboard.type("two");
    await keyboard.press("Enter");
    await answered(page, "You wrote: “one");
    expect(await page.locator(".line.user .bubble").last().innerText()).toBe("one\ntwo");
    await keyboard.type("/re");
    await page.getByRole("option", { name: "/reset" }).waitFor();
    await picture(page, "commands");
    await keyboard.press("Escape");
    await keyboard.press("ControlOrMeta+A");
    await keyboard.type("write a long story");
    await keyboard.press("Enter");
    await page.locator(".line.agent[aria-busy=true]").waitFor();
    await keyboard.press("Escape");
    await page.locator(".line.notice", { hasText: "Stopped" }).waitFor();
    await reach(page, "New conversation", "Shift+Tab");
    await keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await picture(page, "dialog");
    await reach(page, "New conversation", "Tab", "dialog");
    await keyboard.press("Enter");
    await page.locator(".line.notice", { hasText: "I have forgotten our conversation" }).waitFor();
    expect(await page.locator(".line.user").count()).toBe(0);
    expect(await focused(), "back in the composer").toBe("Message");
  });

  test("a message that is refused says so and can be discarded", async () => {
    await page.route("**/api/messages", (route) =>
      route.request().method() === "POST"
        ? route.fulfill({ status: 422, json: { error: { code: "no", message: "This is refused here." } } })
        : route.continue(),
    );
    await say(page, "unwelcome");
    await page.getByText("Not sent: This is refused here.").waitFor();
    await picture(page, "refused");
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByText("unwelcome").waitFor({ state: "detached" });
  });

  test("the API's documentation renders and asks nobody else", async () => {
    await page.goto(`${gateway.url}/docs`);
    await page.getByText("/api/messages").first().waitFor();
    await page.getByText("Send a message; repeat it").first().click();
    await page.getByText("Request body").first().waitFor();
    await picture(page, "docs");
    expect(await overflowing(page)).toEqual([]);
    await page.getByRole("link", { name: "Operators" }).click();
    await page.getByText("/api/console/v1/dead-letters").first().waitFor();
    await page.getByRole("button", { name: "Authorize" }).waitFor();
    await picture(page, "docs-operators");
    expect(await overflowing(page)).toEqual([]);
  });
});

/** Moves the focus by key until it is on what has this name. */
async function reach(page: Page, name: string, key: string, within = "body"): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press(key);
    const found = await page.evaluate(
      ([wanted, inside]) => {
        const at = document.activeElement;
        const said = at?.getAttribute("aria-label") ?? at?.textContent;
        return said === wanted && at?.closest(inside ?? "") !== null;
      },
      [name, within],
    );
    if (found) return;
  }
  throw new Error(`${key} does not lead to "${name}"`);
}

async function download(page: Page, link: ReturnType<Page["locator"]>): Promise<{ name: string; bytes: Buffer }> {
  const begun = page.waitForEvent("download");
  await link.click();
  const file = await begun;
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}
