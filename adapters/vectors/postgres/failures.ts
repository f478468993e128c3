/** What PostgreSQL and its driver throw, in our classes and without what the statement held: queries are people's words. */
import { DrizzleQueryError } from "drizzle-orm";
import { DatabaseError } from "pg";
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
  const about = "the documents' database";
  if (error instanceof DatabaseError) {
    const { code = "none", message } = error;
    const state = code.slice(0, 2);
    const words = `${about} failed (SQLSTATE ${code})${tellable.includes(state) ? `: ${message}` : ""}`;
    return passing.includes(state) ? new InfrastructureError(words) : new Error(words);
  }
  // Of several addresses that were tried in vain the last one's.
  const last: unknown = error instanceof AggregateError ? error.errors.at(-1) : error;
  // What is no failure to connect is a fault of ours, and counts as one.
  const isConnection = thrown instanceof DrizzleQueryError || (last instanceof Error && isFromDriver(last));
  if (!isConnection && error instanceof Error) return error;
  return new InfrastructureError(`${about} does not answer: ${last instanceof Error ? last.message : String(last)}`);
}

/** A system's error, or one of the driver's, which have no class. */
function isFromDriver(error: Error): boolean {
  return "code" in error || /connect|pool/i.test(error.message);
}
