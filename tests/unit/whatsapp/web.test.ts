import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseWeb } from "../../../channels/whatsapp/web/parse.ts";
import { drawn, qrOf } from "../../../src/qr.ts";
import { inboundEvent } from "../../../src/message.ts";
import { withEnvironment } from "../../../src/main/environment.ts";
import { webText } from "../../fakes/whatsapp-web.ts";

const account = { tenant: "acme", channel: "whatsapp", account: "main" };
const own = "15550783881@c.us";
const ann = "16505551234@c.us";
const group = "120363000000000001@g.us";
const read = (model: object, edited = false) => parseWeb(model, { ...account, own: [own], receivedAt: 1 }, edited);
const parts = (model: object) => {
  const event = read(model);
  return event?.kind === "message" ? event.message.parts : undefined;
};

describe("a message of WhatsApp Web", () => {
  it.each([
    ["a text", {}, { kind: "text", text: "hi" }],
    [
      "a voice note",
      { type: "ptt", mimetype: "audio/ogg; codecs=opus", duration: "3" },
      { kind: "voice", type: "audio/ogg", duration: 3 },
    ],
    [
      "a document",
      { type: "document", mimetype: "application/pdf", filename: "a.pdf", size: 7 },
      { kind: "file", name: "a.pdf", size: 7 },
    ],
    [
      "a place",
      { type: "location", lat: 52.5, lng: 13.4, loc: "Tower\nStreet 1" },
      { kind: "location", name: "Tower", address: "Street 1" },
    ],
    [
      "a contact",
      { type: "vcard", vcardFormattedName: "Bo", body: "BEGIN:VCARD\nTEL;type=CELL:+46 1\nEND:VCARD" },
      { kind: "contact", name: "Bo", phone: "+46 1" },
    ],
    [
      "a poll",
      { type: "poll_creation", pollName: "Tea?", pollOptions: [{ name: "yes" }] },
      { kind: "text", text: "Tea?\n- yes" },
    ],
  ])("is read: %s", (_what, more, expected) => {
    expect(parts(webText(ann, "hi", more))?.[0]).toMatchObject(expected);
  });

  it("comes in once per id, survives storage, and names the medium as the page does", () => {
    const model = webText(ann, "", { type: "image", caption: "Look", mimetype: "image/png" });
    const event = read(model);
    expect(inboundEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(JSON.parse(JSON.stringify(event)));
    expect(parts(model)).toMatchObject([{ source: { from: "platform", ref: model.id._serialized } }, { text: "Look" }]);
    expect(read(model)?.id).toBe(event?.id);
    expect(read({ ...model, body: "x", latestEditSenderTimestampMs: 5 }, true)).toMatchObject({
      kind: "edited",
      target: event?.id,
    });
    expect(read({ ...model, type: "revoked" })).toMatchObject({ kind: "deleted", targets: [event?.id] });
  });

  it("does not come in where nobody wrote to the agent", () => {
    const text = webText(ann, "hi");
    const bot = "867051314767696@bot";
    for (const model of [
      { ...text, id: { ...text.id, fromMe: true } },
      { ...text, from: own },
      webText(bot, "I am a bot"),
      webText("status@broadcast", "my day", { author: ann }),
      webText("120363000000000002@newsletter", "news"),
      webText(ann, "", { type: "e2e_notification" }),
    ])
      expect(read(model)).toBeUndefined();
    expect(read(webText(group, "assistant's words", { author: bot }))).toMatchObject({ participant: { bot: true } });
    expect(read(webText(group, "@assistant hi", { author: ann, mentionedJidList: [bot] }))).toMatchObject({
      message: { addressed: false, forAnother: true },
    });
    expect(() => read(webText(ann, "", { type: "hologram" }))).toThrow('type "hologram"');
    expect(() => read({ id: 7 })).toThrow("cannot be read");
  });

  it("is for the agent in a group where it is mentioned or replied to", () => {
    const addressed = (more: object) => {
      const event = read(webText(group, "hm", { author: ann, ...more }));
      return event?.kind === "message" ? event.message.addressed : undefined;
    };
    expect(addressed({})).toBe(false);
    expect(addressed({ mentionedJidList: [{ _serialized: own }] })).toBe(true);
    expect(addressed({ quotedStanzaID: "3EB0", quotedParticipant: { _serialized: own } })).toBe(true);
    expect(addressed({ quotedStanzaID: "3EB0", quotedParticipant: ann })).toBe(false);
  });
});

describe("the code to scan", () => {
  it("is the one that an independent decoder read", () => {
    const digest = (text: string) => {
      const rows = qrOf(text).map((row) => row.map((dark) => (dark ? "1" : "0")).join(""));
      return createHash("sha256").update(rows.join("\n")).digest("hex").slice(0, 16);
    };
    expect(digest("A")).toBe("f195dbbdf146dae0");
    expect(digest(`2@${"abc/DEF+123,".repeat(19)}`)).toBe("39c5beb88906ead0");
    expect(() => qrOf("x".repeat(2_000))).toThrow(RangeError);
  });

  it("fits a terminal: two modules high, a border around", () => {
    const lines = drawn("A").split("\n");
    expect(lines).toHaveLength(13);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([25]));
    expect(lines[0]).toBe("█".repeat(25));
  });
});

describe("the environment", () => {
  const of = (environment: Record<string, string>) => withEnvironment({}, environment).settings;
  it("turns it on by one word, and not by the browser's name or by off", () => {
    expect(of({ WHATSAPP_WEB: "on", CHROMIUM_PATH: "/x" })).toEqual({
      channels: { whatsapp: { main: { web: "on", chromium: "/x" } } },
    });
    expect(of({ CHROMIUM_PATH: "/x" })).toEqual({});
    expect(of({ WHATSAPP_WEB: "off" })).toEqual({});
  });
});
