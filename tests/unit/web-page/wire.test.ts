import { describe, expect, it } from "vitest";
import { backoff } from "../../../channels/web/page/backoff.ts";
import { httpClient, HttpError, isRefusal, retryAfter } from "../../../channels/web/page/client.ts";
import { parseEvent } from "../../../channels/web/page/events.ts";
import { decode, ownUrl, safeHref } from "../../../channels/web/page/links.ts";

describe("links in answers", () => {
  it.each(["https://example.com/a?b=1", "http://example.com/", "mailto:a@example.com"])("follows %s", (href) => {
    expect(safeHref(href)).toBe(href);
  });

  it.each([
    "javascript:alert(1)",
    " java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "/api/reset",
    "//x",
  ])("leaves %s dead", (href) => {
    expect(safeHref(href)).toBeUndefined();
  });

  it("takes attachments from the gateway alone", () => {
    expect(ownUrl("/api/attachments/1", "https://gw.example/?embed=1")).toBe("https://gw.example/api/attachments/1");
    expect(ownUrl("https://evil.example/x", "https://gw.example/")).toBeUndefined();
    expect(ownUrl("javascript:alert(1)", "https://gw.example/")).toBeUndefined();
  });

  it("reads character references", () => {
    expect(decode("3 &lt; 4 &amp; 5 &#62; 2 &#x1F600; &unknown; &#xD800;")).toBe("3 < 4 & 5 > 2 😀 &unknown; \ufffd");
  });
});

describe("the client", () => {
  const json = (status: number, body: unknown, headers = {}) => new Response(JSON.stringify(body), { status, headers });

  it("renews the session once on 401, for all requests that wait for it, and repeats them", async () => {
    const calls: string[] = [];
    let signedIn = false;
    const fetch = async (path: Parameters<typeof globalThis.fetch>[0]): Promise<Response> => {
      calls.push(String(path));
      if (path === "api/session") signedIn = true;
      return path === "api/session" || signedIn ? json(200, { messages: [] }) : json(401, {});
    };
    const client = httpClient({ fetch, onSession: () => undefined, now: Date.now });
    await Promise.all([client.history(), client.history("7")]);
    expect(calls.filter((path) => path === "api/session")).toHaveLength(1);
    expect(calls.at(-1)).toBe("api/messages?before=7");
  });

  it("says so, and slows down, when the browser keeps no cookie", async () => {
    let calls = 0;
    const fetch = async (path: Parameters<typeof globalThis.fetch>[0]): Promise<Response> => {
      calls++;
      return path === "api/session" ? json(200, {}) : json(401, {});
    };
    const client = httpClient({ fetch, onSession: () => undefined, now: Date.now });
    await expect(client.history()).rejects.toMatchObject({ code: "no_cookie" });
    void client.history().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 150));
    // The second time it waits before it asks for another session.
    expect(calls).toBe(4);
  });

  it("tells a refusal from what is worth another try", async () => {
    expect([400, 403, 404, 413, 422, 507].every((s) => isRefusal(new HttpError(s, "", "", undefined)))).toBe(true);
    expect(isRefusal(new HttpError(429, "too_many_uploads", "", undefined))).toBe(true);
    expect([401, 408, 425, 429, 500, 503].some((s) => isRefusal(new HttpError(s, "", "", undefined)))).toBe(false);
  });

  it("keeps the gateway's words and its Retry-After", async () => {
    const fetch = async () => json(429, { error: { code: "slow", message: "Not so fast." } }, { "retry-after": "3" });
    const client = httpClient({ fetch, onSession: () => undefined, now: Date.now });
    await expect(client.stop()).rejects.toMatchObject({ code: "slow", message: "Not so fast.", retryAfter: 3000 });
  });

  it("reads Retry-After as seconds or as a date", () => {
    expect(retryAfter("2", 0)).toBe(2000);
    expect(retryAfter("Thu, 01 Jan 1970 00:00:10 GMT", 4000)).toBe(6000);
    expect(retryAfter("soon", 0)).toBeUndefined();
    expect(retryAfter(null, 0)).toBeUndefined();
  });
});

describe("the event stream", () => {
  it("knows its events, and ignores those of a newer gateway", () => {
    expect(parseEvent("delta", '{"turn":"t","text":"x"}')).toEqual({ type: "delta", turn: "t", text: "x" });
    expect(parseEvent("status", '{"running":true}')).toEqual({ type: "status", running: true });
    expect(parseEvent("reset", "")).toEqual({ type: "reset" });
    expect(parseEvent("ping", "")).toBeUndefined();
    expect(parseEvent("hologram", "{}")).toBeUndefined();
    expect(parseEvent(undefined, "x")).toBeUndefined();
  });

  it("waits longer from attempt to attempt, and never longer than 19 seconds", () => {
    const waits = [0, 1, 2, 3, 10].map((attempt) => backoff(attempt, () => 0.5));
    expect(waits).toEqual([500, 1000, 2000, 4000, 15_000]);
    expect(backoff(50, () => 1)).toBeLessThan(19_000);
  });
});
