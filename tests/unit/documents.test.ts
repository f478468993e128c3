/** Documents to text, and what a document that is made to do harm costs. */
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createDocuments } from "../../adapters/documents/index.ts";
import { InputError } from "../../src/errors.ts";
import { quiet, rejection, testClock } from "./client-agent.fixture.ts";
import { docxOf, docxType, pdfOf, zipOf } from "./documents.fixture.ts";

const documents = createDocuments({ clock: testClock(), log: quiet });
const office = "application/vnd.openxmlformats-officedocument";

function read(bytes: Uint8Array | string, of: { type?: string; name?: string }, maxChars = 10_000) {
  const { type = "application/octet-stream", name } = of;
  return documents.read({ bytes: Buffer.from(bytes), type, name }, maxChars);
}

describe("the formats", () => {
  it("are known by type, or by name where the type says nothing", () => {
    const known = (type: string, name?: string) => documents.reads({ type, name });
    expect(known("text/csv")).toBe(true);
    expect(known("application/pdf; version=1.7")).toBe(true);
    expect(known("application/octet-stream", "Report.PDF")).toBe(true);
    expect(known("application/vnd.api+json")).toBe(true);
    expect(known("application/octet-stream", "setup.exe")).toBe(false);
    expect(known("application/zip", "photos.zip")).toBe(false);
    expect(known("video/mp4", "notes.txt")).toBe(false);
  });

  it("text is text, in the encoding it has", async () => {
    expect(await read("a,b\r\n1,ü  \n", { type: "text/csv" })).toEqual({ text: "a,b\n1,ü", cut: false });
    expect((await read(Buffer.from("gr\xfcn", "latin1"), { name: "a.txt" })).text).toBe("grün");
    const wide = Buffer.from("\uFEFFhé", "utf16le");
    expect((await read(wide, { type: "text/plain" })).text).toBe("hé");
    expect(await read("x".repeat(100), { name: "a.md" }, 10)).toEqual({ text: "x".repeat(10), cut: true });
    expect((await rejection(read("\u0000\u0001", { name: "a.txt" }))).message).toContain("not the text");
  });

  it("a PDF's words page by page, until there are enough", async () => {
    const pdf = pdfOf("Invoice 17\nTotal (net): 12 EUR", "Page two");
    expect(await read(pdf, { type: "application/pdf" })).toEqual({
      text: "Invoice 17\nTotal (net): 12 EUR\n\nPage two",
      pages: 2,
      cut: false,
    });
    const long = pdfOf(...Array.from({ length: 30 }, (_, n) => `page ${n} ${"word ".repeat(20)}`));
    expect(await read(long, { type: "application/pdf" }, 300)).toMatchObject({ pages: 30, cut: true });
  });

  it("a page without its scripts and looks", async () => {
    const page =
      "<!doctype html><head><title>Menu</title><style>p{}</style></head><body><script>alert('x<p>')</script>" +
      "<h1>Tea &amp; cake</h1><ul><li>one<li>two</ul><table><tr><td>a<td>b</tr></table><!-- no --><p>5 &lt; 6 &#8364;</body>";
    expect((await read(page, { type: "text/html" })).text).toBe("Menu\nTea & cake\n- one\n- two\na\tb\n5 < 6 €");
  });

  it("office documents", async () => {
    expect((await read(docxOf("Dear &lt;Ann&gt;,", "yours"), { type: docxType })).text).toBe("Dear <Ann>,\nyours");
    const odt = zipOf({
      "content.xml":
        "<o><style>no</style><office:body><text:h>Title</text:h><text:p>a<text:tab/>b</text:p></office:body></o>",
    });
    expect((await read(odt, { name: "a.odt" })).text).toBe("Title\na\tb");
    const slides = zipOf({
      "ppt/slides/slide10.xml": "<a:p><a:t>last</a:t></a:p>",
      "ppt/slides/slide2.xml": "<a:p><a:t>first</a:t></a:p>",
    });
    const type = `${office}.presentationml.presentation`;
    expect(await read(slides, { type })).toEqual({ text: "Slide 1\nfirst\n\nSlide 2\nlast", pages: 2, cut: false });
    const sheet = zipOf({
      "xl/sharedStrings.xml": "<sst><si><t>name</t></si><si><r><t>p</t></r><r><t>rice</t></r></si></sst>",
      "xl/worksheets/sheet1.xml":
        '<row><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row><row><c r="A2"><v>1.5</v></c></row>',
    });
    expect((await read(sheet, { name: "a.xlsx" })).text).toBe("Sheet 1\nname\t\tprice\n1.5");
  });
});

describe("a document that is damaged or made to do harm", () => {
  const blocked = async (bytes: Uint8Array, of: { type?: string; name?: string }) => {
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 20);
    const error = await rejection(read(bytes, of));
    clearInterval(timer);
    expect(error).toBeInstanceOf(InputError);
    return { message: error.message, ticks };
  };

  it.each([
    ["a PDF", "broken.pdf"],
    ["a Word document", "broken.docx"],
  ])("%s of garbage is refused", async (_, name) => {
    expect((await blocked(Buffer.from("garbage".repeat(50)), { name })).message).toContain("damaged");
  });

  it("an archive that unpacks to far too much is refused, whatever it says of its size", async () => {
    const bomb = zipOf({ "word/document.xml": Buffer.alloc(300_000_000) });
    bomb.writeUInt32LE(1_000, bomb.length - 22 - 46 - "word/document.xml".length + 24);
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().rss;
    expect((await blocked(bomb, { type: docxType })).message).toContain("too large once it is unpacked");
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it("an archive whose directory leads out of it is refused", async () => {
    const archive = docxOf("x");
    archive.writeUInt32LE(0xffff_fff0, archive.length - 22 + 16);
    expect((await blocked(archive, { type: docxType })).message).toContain("damaged");
  });

  it("a PDF that unpacks without end costs its thread, and others are read meanwhile", async () => {
    const bomb = pdfOf(deflateSync(Buffer.alloc(1), { level: 0 }), Buffer.alloc(400_000_000, " "));
    expect(bomb.length).toBeLessThan(2_000_000);
    let peak = 0;
    const before = process.memoryUsage().rss;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss - before)), 20);
    const bombed = read(bomb, { type: "application/pdf" }).then(
      () => "read",
      (error: Error) => error.message,
    );
    expect((await read(docxOf("fine"), { type: docxType })).text).toBe("fine");
    const outcome = await bombed;
    clearInterval(timer);
    expect(outcome).toMatch(/too much memory|too long/);
    expect(peak).toBeLessThan(300_000_000);
  });

  it("a page that nests a million deep is read, and the process goes on meanwhile", async () => {
    const page = `${"<div><b>".repeat(700_000)}deep${"</b></div>".repeat(10)}`;
    expect((await read(page, { type: "text/html" })).text).toBe("deep");
    expect((await read("<".repeat(2_000_000), { type: "text/html" })).text.length).toBe(10_000);
    expect((await read(`<p>${"<script>".repeat(500_000)}`, { type: "text/html" })).text).toBe("");
  });
});

describe("how a document is built", () => {
  const marked = (bytes: Uint8Array | string, type: string) =>
    documents.read({ bytes: Buffer.from(bytes), type }, 10_000, { marked: true });

  it("is told where it is asked for: headings, and where a PDF's pages end", async () => {
    const page = "<title>Menu</title><h1>Tea</h1><p>Green<h2><b>White</b> tea</h2>rare";
    expect(await marked(page, "text/html")).toMatchObject({
      title: "Menu",
      text: "# Tea\nGreen\n## White tea\nrare",
    });
    expect((await marked(pdfOf("one\f.", "", "three"), "application/pdf")).text).toBe("one .\f\fthree");
    const paragraph = (style: string, text: string) =>
      `<w:p><w:pPr><w:pStyle w:val="${style}"/></w:pPr><w:r><w:t>${text}</w:t></w:r></w:p>`;
    const word = zipOf({
      "[Content_Types].xml": "<Types/>",
      "word/document.xml": `<w:document><w:body>${paragraph("Heading1", "Tea")}${paragraph("berschrift2", "Grün")}${paragraph("Normal", "rare")}</w:body></w:document>`,
    });
    expect((await marked(word, docxType)).text).toBe("# Tea\n## Grün\nrare");
    const open = zipOf({
      "content.xml":
        '<o><office:body><text:h text:outline-level="2">Tea</text:h><text:p>rare</text:p></office:body></o>',
    });
    expect((await marked(open, "application/vnd.oasis.opendocument.text")).text).toBe("## Tea\nrare");
  });

  it("of a page: where it leads, as it says it", async () => {
    const page = `<base href='/b/'><a href="one?x=1&amp;y=2">The <b>first</b></a><a>none</a><a name=x href=two>Two</a>`;
    expect(await marked(page, "text/html")).toMatchObject({
      base: "/b/",
      links: [
        { text: "The first", href: "one?x=1&y=2" },
        { text: "Two", href: "two" },
      ],
    });
    const many = await marked('<a href="/x">y</a>'.repeat(5_000), "text/html");
    expect(many.links?.length).toBe(300);
  });
});
