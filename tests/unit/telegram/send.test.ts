import { describe, expect, it } from "vitest";
import { createApi } from "../../../channels/telegram/api.ts";
import { createSender } from "../../../channels/telegram/send.ts";
import { telegramSettings } from "../../../channels/telegram/settings.ts";
import type { SendContext } from "../../../src/channel.ts";
import { RetryableError } from "../../../src/errors.ts";
import type { Blobs } from "../../../src/ports.ts";
import { direct, quiet, rejection } from "../client-agent.fixture.ts";

describe("an upload that fails", () => {
  it("closes the file that it had begun to send", async () => {
    let open = 0;
    const blobs: Pick<Blobs, "get"> = {
      async get(id) {
        open += 1;
        const body = new ReadableStream<Uint8Array>({ cancel: () => void (open -= 1) });
        return { id, type: "application/pdf", size: 9, body };
      },
    };
    // Port 9 discards: nothing listens there.
    const api = createApi(telegramSettings.parse({ token: "1:a", apiRoot: "http://127.0.0.1:9" }));
    const send = createSender({ api, blobs: blobs as Blobs, log: quiet, token: "1:a" });
    const context: SendContext = {
      to: direct,
      key: "k",
      answers: [],
      notice: false,
      first: true,
      last: true,
      again: false,
      signal: new AbortController().signal,
    };
    const media = { kind: "file", source: { from: "blob", id: "b" }, type: "application/pdf", name: "a.pdf" } as const;
    expect(await rejection(send({ kind: "media", media }, context))).toBeInstanceOf(RetryableError);
    await expect.poll(() => open).toBe(0);
    api.close();
  });
});
