/** Debian's Chromium on the real page, and everything that must never happen there. */
import { join } from "node:path";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Frame,
  type Page,
} from "playwright-core";

/** As root there is no sandbox; the other flags keep Chromium from asking its maker's hosts. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Generous: what is waited for comes within a second on a machine that has nothing else to do. */
export const patience = 20_000;

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags });
}

export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Scripts that failed, policies that were violated, dialogs that opened, hosts that were asked: a line each. */
  readonly wrong: string[];
}

/** A person with a browser of their own. `hosts`: what pages may ask, beside the gateway the sites that embed it. */
export async function visitor(
  browser: Browser,
  hosts: readonly string[],
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1100, height: 800 }, ...options });
  context.setDefaultTimeout(patience);
  const wrong: string[] = [];
  // Told by the page itself, since not every violation is written to the console.
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`violated ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    });
  });
  context.on("console", (message) => {
    if (/^violated |Content Security Policy|Refused to|TEST RAN/i.test(message.text())) wrong.push(message.text());
  });
  context.on("weberror", (error) => wrong.push(`threw ${error.error().message}`));
  context.on("dialog", (dialog) => {
    wrong.push(`opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (/^https?:$/.test(protocol) && !hosts.includes(host)) wrong.push(`asked ${request.url()}`);
  });
  return { context, page: await context.newPage(), wrong };
}

/** Writes and sends as a person does. */
export async function say(page: Page, text: string): Promise<void> {
  const input = page.getByRole("textbox", { name: "Message" }).or(page.getByRole("combobox", { name: "Message" }));
  await input.fill(text);
  await input.press("Enter");
}

/** Agents' messages in the conversation, as they read. */
export async function answers(page: Page): Promise<string[]> {
  return page.locator(".line.agent[role=article]:not([aria-busy=true]) .prose").allInnerTexts();
}

export async function answered(page: Page | Frame, text: string): Promise<void> {
  await page
    .locator(".line.agent[role=article]:not([aria-busy=true])", { hasText: text })
    .first()
    .waitFor({ timeout: patience });
}

/** What the gateway keeps: of every message of the person, how often it was answered. */
export async function answersOf(page: Page): Promise<Map<string, number>> {
  const kept = await page.evaluate(async () => {
    const response = await fetch("/api/messages");
    return (await response.json()) as { messages: { id: string; role: string; text: string; answers?: string[] }[] };
  });
  const ids = kept.messages.flatMap(({ answers: of = [] }) => of);
  const asked = kept.messages.filter(({ role }) => role === "user");
  return new Map(asked.map(({ id, text }) => [text, ids.filter((one) => one === id).length]));
}

/** Elements that stand out of the window to the right, and are not inside of something that scrolls. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const scrolls = (of: Element | null): boolean =>
      of !== null &&
      of !== document.body &&
      (/auto|scroll|hidden/.test(getComputedStyle(of).overflowX) || scrolls(of.parentElement));
    const out = [...document.body.querySelectorAll("*")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width > 0 && box.right > window.innerWidth + 1 && !scrolls(one.parentElement);
    });
    const boxes = [document.documentElement, ...document.querySelectorAll(".app, main, .viewport, .dock")];
    const wide = boxes.filter((one) => one.scrollWidth > one.clientWidth + 1);
    return [...out, ...wide].map((one) => `${one.tagName.toLowerCase()}.${one.className}`);
  });
}

/** A picture for people, where SCREENSHOTS names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}
