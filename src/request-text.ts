import { InputError } from "./errors.ts";

const tooLarge = (limit: number) => new InputError(`The body is larger than ${limit} bytes.`, { status: 413 });

/**
 * The raw body as text that stands for exactly these bytes: what is not UTF-8 is refused, since two different bodies could
 * otherwise read, and be signed, the same.
 * @throws InputError
 */
export async function readText(request: Request, limit: number): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new InputError("The body must be JSON in UTF-8.", { cause: error });
  }
}
