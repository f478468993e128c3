/** The data directory cannot be used; `message` says why and what to do, and is safe to show. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** SQLite's primary result code of an error, or undefined where it is not SQLite's. @see https://sqlite.org/rescode.html */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

export function isBusy(error: unknown): boolean {
  return codeOf(error) === 5;
}

/** SQLITE_CORRUPT or SQLITE_NOTADB. */
export function isDamaged(error: unknown): boolean {
  const code = codeOf(error);
  return code === 11 || code === 26;
}
