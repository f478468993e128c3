/** Passes bytes on, and fails with the error past so many of them. */
export function capped(most: number, error: (most: number) => Error): TransformStream<Uint8Array, Uint8Array> {
  let seen = 0;
  return new TransformStream({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen > most) controller.error(error(most));
      else controller.enqueue(chunk);
    },
  });
}
