/**
 * A form that a server has for the person: each field is a question in the conversation, one after the other. Forms of more than
 * three fields, and fields that are no text, number, yes or no, or choice of one, are declined.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
 */
import { createHash } from "node:crypto";
import type {
  ElicitRequestFormParams,
  ElicitResult,
  PrimitiveSchemaDefinition,
} from "@modelcontextprotocol/sdk/types.js";
import type { Clock } from "../../../src/ports.ts";
import { noticeText } from "../../../src/notices.ts";
import type { AskPerson, PersonReply, ToolCall } from "../../../src/tools.ts";

const mostFields = 3;
const mostOptions = 10;
const mostTries = 3;
const longestText = 1_000;
const longestLabel = 60;

type Value = string | number | boolean;
type Options = NonNullable<Parameters<AskPerson>[0]["options"]>;

interface Field {
  /** What an answer has to be like, in signs that need no language. */
  readonly hint?: string;
  readonly options?: Options;
  /** Undefined: it does not fit. */
  read(said: string): Value | undefined;
}

export interface FormOptions {
  readonly source: string;
  readonly call: ToolCall;
  /** Of all questions of the call so far: its name stands in their ids. */
  readonly number: number;
  readonly forMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export async function askForm(form: ElicitRequestFormParams, options: FormOptions): Promise<ElicitResult> {
  const { source, call, number, forMs, clock, signal } = options;
  const { ask, participant } = call;
  const { properties, required = [] } = form.requestedSchema;
  const fields = Object.entries(properties).map(([name, schema]) => ({
    name,
    schema,
    field: fieldOf(schema, participant.locale),
  }));
  if (ask === undefined || fields.length > mostFields) return { action: "decline" };
  const until = clock.monotonic() + forMs;

  async function put(name: string, text: string, given: Options | undefined, attempt: number): Promise<PersonReply> {
    const left = until - clock.monotonic();
    if (left <= 0 || ask === undefined) return { kind: "silent" };
    const id = idOf([call.key, String(number), name, String(attempt), text]);
    return ask({ id, from: source, text, forMs: left, signal, ...(given === undefined ? {} : { options: given }) });
  }

  if (fields.length === 0) {
    const reply = await put(
      "",
      clip(form.message, longestText),
      [{ id: "yes", label: noticeText("yes", participant.locale) }],
      0,
    );
    return reply.kind === "chose" ? { action: "accept", content: {} } : { action: actionOf(reply) };
  }
  const content: Record<string, Value> = {};
  for (const [at, { name, schema, field }] of fields.entries()) {
    if (field === undefined) return { action: "decline" };
    const text = textOf(form.message, { name, schema, hint: field.hint }, { at, of: fields.length });
    const reply = await answered(name, text, field);
    if (reply.kind === "value") content[name] = reply.value;
    else if (reply.kind !== "declined" || required.includes(name)) return { action: actionOf(reply) };
  }
  return { action: "accept", content };

  async function answered(name: string, text: string, field: Field) {
    for (let attempt = 0; attempt < mostTries; attempt++) {
      const reply = await put(name, attempt === 0 ? text : `${field.hint ?? "…"}\n${text}`, field.options, attempt);
      if (reply.kind === "declined" || reply.kind === "silent") return reply;
      const value = field.read(reply.kind === "chose" ? reply.option : reply.text);
      if (value !== undefined) return { kind: "value", value } as const;
    }
    return { kind: "silent" } as const;
  }
}

function actionOf({ kind }: { readonly kind: string }): "decline" | "cancel" {
  return kind === "declined" ? "decline" : "cancel";
}

function idOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);
}

function textOf(
  message: string,
  { name, schema, hint }: { name: string; schema: PrimitiveSchemaDefinition; hint: string | undefined },
  { at, of }: { at: number; of: number },
): string {
  const { title = name, description } = schema;
  const field = description === undefined ? title : `${title}: ${description}`;
  const lines = [...(at === 0 ? [message] : []), of === 1 && description === undefined ? undefined : field];
  const text = clip(lines.filter((line) => line !== undefined).join("\n\n"), longestText);
  return hint === undefined ? text : `${text} (${hint})`;
}

/** Undefined for one that is not asked. */
function fieldOf(schema: PrimitiveSchemaDefinition, locale: string | undefined): Field | undefined {
  if (schema.type === "array") return undefined;
  if (schema.type === "boolean") {
    const options = (["yes", "no"] as const).map((id) => ({ id, label: noticeText(id, locale) }));
    return { options, read: (said) => said === "yes" };
  }
  if (schema.type === "number" || schema.type === "integer") return numberField(schema);
  const choices = choicesOf(schema);
  if (choices === undefined) return textField(schema as TextSchema);
  if (choices.length === 0 || choices.length > mostOptions) return undefined;
  // Values may be of any length: a place among them is what comes back.
  const options = choices.map(({ label }, place) => ({ id: String(place), label: clip(label, longestLabel) }));
  return { options, read: (said) => choices[Number(said)]?.value };
}

function choicesOf(schema: PrimitiveSchemaDefinition): { value: string; label: string }[] | undefined {
  if ("oneOf" in schema) return schema.oneOf.map((one) => ({ value: one.const, label: one.title }));
  if (!("enum" in schema)) return undefined;
  const names = "enumNames" in schema ? schema.enumNames : undefined;
  return schema.enum.map((value, at) => ({ value, label: names?.[at] ?? value }));
}

function numberField(schema: { type: string; minimum?: number | undefined; maximum?: number | undefined }): Field {
  const { type, minimum = -Infinity, maximum = Infinity } = schema;
  const isFree = minimum === -Infinity && maximum === Infinity;
  const range = isFree ? "" : ` ${minimum === -Infinity ? "" : minimum}–${maximum === Infinity ? "" : maximum}`;
  return {
    hint: `${type === "integer" ? "123" : "1.5"}${range}`.trim(),
    read(said) {
      const plain = said.trim().replace(/^([+-]?\d+),(\d+)$/, "$1.$2");
      const value = /^[+-]?\d{1,15}(\.\d{1,12})?$/.test(plain) ? Number(plain) : NaN;
      const fits = value >= minimum && value <= maximum && (type !== "integer" || Number.isSafeInteger(value));
      return fits ? value : undefined;
    },
  };
}

interface TextSchema {
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly format?: keyof typeof formats | undefined;
}

const formats = {
  email: { hint: "name@example.com", fits: (said: string) => /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(said) },
  uri: { hint: "https://…", fits: (said: string) => URL.canParse(said) },
  date: {
    hint: "YYYY-MM-DD",
    fits: (said: string) => /^\d{4}-\d\d-\d\d$/.test(said) && !Number.isNaN(Date.parse(said)),
  },
  "date-time": {
    hint: "YYYY-MM-DDThh:mm:ssZ",
    fits: (said: string) => /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(said) && !Number.isNaN(Date.parse(said)),
  },
};

function textField({ minLength = 0, maxLength = Infinity, format }: TextSchema): Field {
  const rule = format === undefined ? undefined : formats[format];
  const isFree = minLength <= 1 && maxLength === Infinity;
  const length = isFree ? undefined : `${minLength}–${maxLength === Infinity ? "" : maxLength}`;
  const hint = rule?.hint ?? length;
  return {
    ...(hint === undefined ? {} : { hint }),
    read(said) {
      const value = said.trim();
      const fits = value.length >= minLength && value.length <= maxLength && rule?.fits(value) !== false;
      return fits ? value : undefined;
    },
  };
}

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}
