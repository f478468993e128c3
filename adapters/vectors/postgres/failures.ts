/** What PostgreSQL and its driver throw, in our classes and without what the statement held: queries are people's words. */
import { DrizzleQueryError } from "drizzle-orm";
import { InfrastructureError, InputError } from "../../../src/errors.ts";
import { NewerLayoutError } from "./layouts.ts";

/** Classes of SQLSTATE whose messages speak of the server and of whoever connects, not of values. */
const tellable = ["08", "28", "3D", "40", "53", "55", "57", "58"];
/** Of these, those in which a later try may go well. */
const passing = ["08", "40", "53", "55", "57", "58"];

export function failureOf(thrown: unknown): Error {
  const error = thrown instanceof DrizzleQueryError ? thrown.cause : thrown;
  if (error instanceof InputError || error instanceof NewerLayoutError || error instanceof InfrastructureError)
    return error;
  const { code, message } = { code: undefined, message: String(error), ...pick(error) };
  const about = "the documents' database";
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) {
    const isOurs = code === undefined && !(thrown instanceof DrizzleQueryError) && !/connect|pool/i.test(message);
    if (isOurs && error instanceof Error) return error;
    return new InfrastructureError(`${about} does not answer: ${message === "" ? code : message}`);
  }
  const state = code.slice(0, 2);
  const words = `${about} failed (SQLSTATE ${code})${tellable.includes(state) ? `: ${message}` : ""}`;
  return passing.includes(state) ? new InfrastructureError(words) : new Error(words);
}

/** Of several addresses that were tried in vain the last one's. */
function pick(error: unknown): { readonly code?: string; readonly message?: string } {
  const of = error instanceof AggregateError ? (error.errors.at(-1) as unknown) : error;
  if (!(of instanceof Error)) return {};
  const { code } = of as { readonly code?: unknown };
  return { message: of.message, ...(typeof code === "string" && { code }) };
}
