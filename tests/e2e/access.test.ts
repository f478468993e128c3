/** A stranger at the page of a gateway that pairs: the code is shown, and the message goes out once its writer is let in. */
import { expect, test } from "vitest";
import { createGateway } from "../integration/gateway-process.ts";
import { needs } from "../needs.ts";
import { answered, launch, say, visitor } from "./browser.ts";

const program = needs("chromium");

test.skipIf(program.missing)(
  "a stranger sees the code, in German, and goes on where they were once let in",
  async () => {
    const gateway = await createGateway({ env: () => ({ ASCENT_MODEL: "demo", ASCENT_ACCESS: "pairing" }) });
    const browser = await launch(program.path);
    try {
      await gateway.start();
      const { page, context, wrong } = await visitor(browser, [new URL(gateway.url).host]);
      await context.setExtraHTTPHeaders({ "accept-language": "de-AT,de;q=0.9" });
      await page.goto(gateway.url);
      await say(page, "hello there");
      const told = await page.getByText("Not sent: Ich kenne dich noch nicht.").innerText();
      const code = /\b[A-Z2-9]{4}-[A-Z2-9]{4}\b/.exec(told)?.[0] ?? "";
      expect((await gateway.ascent("pairing", "approve", code)).code).toBe(0);
      await page.getByRole("button", { name: "Retry" }).click();
      await answered(page, "Hello!");
      // The browser tells of every request that was refused.
      expect(wrong.filter((line) => !line.includes("403"))).toEqual([]);
    } finally {
      await browser.close();
      await gateway.close();
    }
  },
);
