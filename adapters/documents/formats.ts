import type { Medium } from "../../src/reading.ts";

/** What a document is read as. */
export type Format = "text" | "html" | "pdf" | "docx" | "pptx" | "xlsx" | "odt";

const office = "application/vnd.openxmlformats-officedocument";
const byType: Readonly<Record<string, Format>> = {
  "text/html": "html",
  "application/xhtml+xml": "html",
  "application/pdf": "pdf",
  "application/x-pdf": "pdf",
  [`${office}.wordprocessingml.document`]: "docx",
  [`${office}.presentationml.presentation`]: "pptx",
  [`${office}.spreadsheetml.sheet`]: "xlsx",
  "application/vnd.oasis.opendocument.text": "odt",
  "application/json": "text",
  "application/ld+json": "text",
  "application/x-ndjson": "text",
  "application/jsonl": "text",
  "application/xml": "text",
  "application/yaml": "text",
  "application/x-yaml": "text",
  "application/toml": "text",
  "application/csv": "text",
  "application/sql": "text",
  "application/x-sh": "text",
  "application/javascript": "text",
  "application/typescript": "text",
};
const byEnding: Readonly<Record<string, Format>> = {
  html: "html",
  htm: "html",
  xhtml: "html",
  pdf: "pdf",
  docx: "docx",
  pptx: "pptx",
  xlsx: "xlsx",
  odt: "odt",
};
const textEndings = new Set(
  (
    "txt text md markdown rst csv tsv json jsonl ndjson xml yaml yml toml ini cfg conf log srt vtt ics vcf tex sql sh py js " +
    "mjs ts tsx jsx css java c h cpp hpp cs go rs rb php swift kt lua r diff patch"
  ).split(" "),
);
/** Types that say nothing: the name may. */
const vague = new Set(["", "application/octet-stream", "binary/octet-stream", "application/zip", "text/plain"]);

/** Undefined for what nobody reads here. */
export function formatOf({ type, name }: Pick<Medium, "type" | "name">): Format | undefined {
  const plain = (type.split(";")[0] ?? "").trim().toLowerCase();
  const ending = /\.([a-z0-9]+)$/i.exec(name ?? "")?.[1]?.toLowerCase() ?? "";
  const named = Object.hasOwn(byEnding, ending) ? byEnding[ending] : undefined;
  if (vague.has(plain)) {
    if (named !== undefined) return named;
    return plain === "text/plain" || textEndings.has(ending) ? "text" : undefined;
  }
  if (Object.hasOwn(byType, plain)) return byType[plain];
  if (plain.startsWith("text/") || /^application\/[\w.-]+\+(?:json|xml)$/.test(plain)) return "text";
  return undefined;
}
