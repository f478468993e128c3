import { InputFile, type GrammyError } from "grammy";
import { describe, expect, test } from "vitest";
import { botFor, poll, refusal, start } from "./telegram/testing.ts";

const ANN = 7001;
const GROUP = -1_001_000_000_042;

describe("sending", () => {
  test("HTML and MarkdownV2 become text with entities", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    await fake.user(ANN).sends(ANN, "hi");
    const html =
      '<b>bold <i>both</i></b> &lt;3 <a href="https://x.org/?a=1&amp;b=2">link</a> <pre><code class="language-ts">1</code></pre>';
    const sent = await api.sendMessage(ANN, html, { parse_mode: "HTML" });
    expect(sent.text).toBe("bold both <3 link 1");
    expect(sent.entities).toEqual([
      { type: "bold", offset: 0, length: 9 },
      { type: "italic", offset: 5, length: 4 },
      { type: "text_link", offset: 13, length: 4, url: "https://x.org/?a=1&b=2" },
      { type: "pre", offset: 18, length: 1, language: "ts" },
    ]);
    const markdown = "*b* _i_ __u__ ~s~ ||x|| `c` [t](https://x.org) a\\.b\n>quote\n>more||\n```py\ncode```";
    const marked = await api.sendMessage(ANN, markdown, { parse_mode: "MarkdownV2" });
    expect(marked.text).toBe("b i u s x c t a.b\nquote\nmore\ncode");
    expect(marked.entities?.map(({ type }) => type)).toEqual(
      "bold italic underline strikethrough spoiler code text_link expandable_blockquote pre".split(" "),
    );
  });

  test.each([
    ["HTML", "<table>", 'Unsupported start tag "table" at byte offset 0'],
    ["HTML", "é <b>x", 'Can\'t find end tag corresponding to start tag "b"'],
    ["HTML", "é <b>x</i>", 'Unmatched end tag at byte offset 7, expected "</b>", found "</i>"'],
    ["HTML", "1 < 2", 'Unsupported start tag "" at byte offset 2'],
    ["MarkdownV2", "a.b", "Character '.' is reserved and must be escaped with the preceding '\\'"],
    ["MarkdownV2", "é *x", "Can't find end of Bold entity at byte offset 3"],
  ] as const)("%s %j is refused as Telegram does", async (parse_mode, text, reason) => {
    const fake = await start();
    await fake.user(ANN).sends(ANN, "hi");
    expect(await refusal(botFor(fake).api.sendMessage(ANN, text, { parse_mode }))).toBe(
      `400 Bad Request: can't parse entities: ${reason}`,
    );
  });

  test("limits count what is left after parsing", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    await fake.user(ANN).sends(ANN, "hi");
    const whole = "😀".repeat(2048);
    expect((await api.sendMessage(ANN, `<b>${whole}</b>`, { parse_mode: "HTML" })).text).toHaveLength(4096);
    expect(await refusal(api.sendMessage(ANN, `${whole}x`))).toBe("400 Bad Request: message is too long");
    expect(await refusal(api.sendMessage(ANN, " <b> </b>", { parse_mode: "HTML" }))).toBe(
      "400 Bad Request: message text is empty",
    );
    const photo = new InputFile(Buffer.from("p"), "p.jpg");
    expect(await refusal(api.sendPhoto(ANN, photo, { caption: "x".repeat(1025) }))).toBe(
      "400 Bad Request: message caption is too long",
    );
  });

  test("what does not exist or is forbidden is refused", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    expect(await refusal(api.sendMessage(1, "x"))).toBe("400 Bad Request: chat not found");
    expect(await refusal(botFor(fake, "9:other").api.getMe())).toBe("401 Unauthorized");
    await fake.user(ANN).sends(ANN, "hi");
    expect(await refusal(api.sendMessage(ANN, "x", { reply_parameters: { message_id: 99 } }))).toBe(
      "400 Bad Request: message to be replied not found",
    );
    const reply_markup = { inline_keyboard: [[{ text: "x", callback_data: "é".repeat(33) }]] };
    expect(await refusal(api.sendMessage(ANN, "x", { reply_markup }))).toBe("400 Bad Request: BUTTON_DATA_INVALID");
    await fake.user(ANN).setsBot(ANN, "kicked");
    expect(await refusal(api.sendMessage(ANN, "x"))).toBe("403 Forbidden: bot was blocked by the user");
  });

  test("edits, drafts, buttons, reactions and deletions", async () => {
    const fake = await start();
    const bot = botFor(fake);
    const { api } = bot;
    bot.on("callback_query:data", (ctx) => ctx.answerCallbackQuery(ctx.callbackQuery.data));
    poll(bot);
    const { messageId } = await fake.user(ANN).sends(ANN, "hi");
    expect(await api.sendMessageDraft(ANN, 5, "thinking")).toBe(true);
    const reply_markup = { inline_keyboard: [[{ text: "yes", callback_data: "y" }]] };
    const sent = await api.sendMessage(ANN, "sure?", { reply_markup, reply_parameters: { message_id: messageId } });
    expect(sent.reply_to_message?.text).toBe("hi");
    expect(await refusal(api.editMessageText(ANN, sent.message_id, "sure?", { reply_markup }))).toContain(
      "message is not modified",
    );
    await fake.user(ANN).presses(ANN, sent.message_id, "y");
    await expect
      .poll(() => fake.log.calls.some((call) => call.method === "answercallbackquery" && call.accepted))
      .toBe(true);
    expect(await refusal(api.answerCallbackQuery("1"))).toContain("query is too old");
    expect(await api.editMessageText(ANN, sent.message_id, "done")).toMatchObject({ text: "done" });
    expect(await api.setMessageReaction(ANN, messageId, [{ type: "emoji", emoji: "👍" }])).toBe(true);
    expect(await api.deleteMessage(ANN, sent.message_id)).toBe(true);
    expect(await refusal(api.deleteMessage(ANN, sent.message_id))).toBe("400 Bad Request: message to delete not found");
    await fake.user(ANN).sends(GROUP, "hi all");
    expect(await refusal(api.sendMessageDraft(GROUP, 5, "x"))).toBe("400 Bad Request: TEXTDRAFT_PEER_INVALID");
  });
});

test("commands are kept per scope; chats are shown and left", async () => {
  const fake = await start();
  const { api } = botFor(fake);
  const commands = [{ command: "help", description: "Help" }];
  await api.setMyCommands(commands, { scope: { type: "all_group_chats" } });
  expect(await api.getMyCommands()).toEqual([]);
  expect(await api.getMyCommands({ scope: { type: "all_group_chats" } })).toEqual(commands);
  expect(await refusal(api.setMyCommands([{ command: "Not ok", description: "x" }]))).toContain("BOT_COMMAND_INVALID");
  await fake.defineChat({ id: GROUP, type: "supergroup", title: "Team", username: "team" });
  expect(await api.getChat("@team")).toMatchObject({ id: GROUP, title: "Team" });
  await api.leaveChat(GROUP);
  expect(await refusal(api.sendMessage(GROUP, "x"))).toBe("403 Forbidden: bot is not a member of the supergroup chat");
});

describe("files", () => {
  test("a user's file is downloaded byte for byte", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, n) => n % 256));
    await fake
      .user(ANN)
      .sends(ANN, { kind: "voice", data: bytes.toString("base64"), mime: "audio/ogg", caption: "listen" });
    const [update] = await api.getUpdates();
    const file = await api.getFile(update!.message!.voice!.file_id);
    const response = await fetch(`${fake.url}/file/bot${fake.token}/${file.file_path}`);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    await fake.user(ANN).sends(ANN, { kind: "document", size: 21 * 1024 * 1024, name: "big.bin" });
    const [big] = await api.getUpdates({ offset: -1 });
    expect(await refusal(api.getFile(big!.message!.document!.file_id))).toBe("400 Bad Request: file is too big");
  });

  test("grammY's uploads arrive whole, also in albums, and are sent again by file_id", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    await fake.user(ANN).sends(ANN, "hi");
    const bytes = Buffer.alloc(200_000, "\r\n--boundary-like\r\n");
    const sent = await api.sendDocument(ANN, new InputFile(bytes, "naïve name.txt"), {
      caption: "<b>c</b>",
      parse_mode: "HTML",
    });
    expect(sent).toMatchObject({ caption: "c", document: { file_name: "naïve name.txt", file_size: 200_000 } });
    const file = await api.getFile(sent.document.file_id);
    const response = await fetch(`${fake.url}/file/bot${fake.token}/${file.file_path}`);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    const album = await api.sendMediaGroup(ANN, [
      { type: "photo", media: new InputFile(Buffer.from("a")), caption: "one" },
      { type: "photo", media: "https://example.org/b.jpg" },
    ]);
    expect(new Set(album.map((message) => "media_group_id" in message && message.media_group_id)).size).toBe(1);
    expect((await api.sendDocument(ANN, sent.document.file_id)).document.file_size).toBe(200_000);
    expect(await refusal(api.sendPhoto(ANN, "nonsense"))).toContain("wrong remote file identifier");
    expect(fake.log.calls.find((call) => call.method === "senddocument")?.files?.[0]).toMatchObject({ size: 200_000 });
  });
});

describe("faults", () => {
  test("429, 5xx, a closed connection and a hang, each as often as asked", async () => {
    const fake = await start();
    const { api } = botFor(fake);
    await fake.user(ANN).sends(ANN, "hi");
    await fake.fault({ kind: "rate_limit", retryAfter: 3, method: "sendMessage", chat: ANN, times: 1 });
    const flood = await api.sendMessage(ANN, "a").catch((error: unknown) => error as GrammyError);
    expect(flood).toMatchObject({ error_code: 429, parameters: { retry_after: 3 } });
    await fake.fault({ kind: "error", code: 502, times: 1 });
    expect(await refusal(api.sendMessage(ANN, "b"))).toBe("502 Bad Gateway");
    await fake.fault({ kind: "close", accepted: true, times: 1 });
    expect(await refusal(api.sendMessage(ANN, "c"))).toContain("Network request");
    await fake.fault({ kind: "hang", times: 1 });
    expect(await refusal(api.sendMessage(ANN, "d", {}, AbortSignal.timeout(50) as never))).toContain("Network request");
    await api.sendMessage(ANN, "e");
    expect((await fake.calls()).map((call) => [call.text, call.accepted, call.status])).toEqual([
      ["a", false, 429],
      ["b", false, 502],
      ["c", true, undefined],
      ["d", false, undefined],
      ["e", true, 200],
    ]);
  });

  test("faults by chance fall on the same calls for the same seed", async () => {
    const hits = async (seed: number) => {
      const fake = await start({ seed });
      const { api } = botFor(fake);
      await fake.fault({ kind: "error", code: 500, chance: 0.5 });
      for (let n = 0; n < 20; n += 1) await refusal(api.getMe());
      return (await fake.calls()).map((call) => call.accepted);
    };
    const first = await hits(7);
    expect(await hits(7)).toEqual(first);
    expect(new Set(first).size).toBe(2);
    expect(await hits(8)).not.toEqual(first);
  });

  test("the platform's own limits hold per chat when asked for", async () => {
    const fake = await start({ limits: true });
    const { api } = botFor(fake);
    await fake.user(ANN).sends(ANN, "hi");
    await fake.user(ANN).sends(GROUP, "hi");
    await api.sendMessage(ANN, "a");
    await api.sendMessage(GROUP, "a");
    expect(await refusal(api.sendMessage(ANN, "b"))).toBe("429 Too Many Requests: retry after 1");
  });
});
