import { InputError } from "../../src/errors.ts";

const tooLarge = (limit: number) => new InputError(`The body is larger than ${limit} bytes.`, { status: 413 });

/**
 * The request with a body of at most `limit` bytes. A longer one that says so is refused here; one of unknown length is
 * counted as it is read, and the reading fails past the limit.
 */
export function limitBody(request: Request, limit: number): Request {
  const declared = request.headers.get("content-length");
  if (request.headers.get("transfer-encoding") === null) {
    // Node's parser takes no more bytes than were declared, and none where nothing was.
    if (declared !== null && Number(declared) > limit) throw tooLarge(limit);
    return request;
  }
  if (request.body === null) return request;
  let size = 0;
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length;
        if (size > limit) controller.error(tooLarge(limit));
        else controller.enqueue(chunk);
      },
    }),
  );
  const { method, headers, signal, url } = request;
  return new Request(url, { method, headers, signal, body: counted, duplex: "half" });
}
