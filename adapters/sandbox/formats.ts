import type { SandboxFile } from "../../src/sandbox.ts";

export type Format = "csv" | "json" | "text";

const types: Readonly<Record<string, Format>> = {
  "text/csv": "csv",
  "application/csv": "csv",
  "text/comma-separated-values": "csv",
  "text/tab-separated-values": "csv",
  "application/json": "json",
  "text/json": "json",
  "text/plain": "text",
};
const endings: Readonly<Record<string, Format>> = { csv: "csv", tsv: "csv", json: "json", txt: "text" };

/** The name's ending comes first: platforms call what people send "text/plain" or "application/vnd.ms-excel" as they like. */
export function formatOf({ type, name }: Pick<SandboxFile, "type" | "name">): Format | undefined {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending !== undefined && Object.hasOwn(endings, ending)) return endings[ending];
  const plain = type.split(";")[0]?.trim().toLowerCase() ?? "";
  if (plain.endsWith("+json")) return "json";
  return Object.hasOwn(types, plain) ? types[plain] : undefined;
}
