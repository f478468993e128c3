/** Open event streams: they never end by themselves, so that a server that stops has to end them. */
export interface Streams {
  /** The same response; an event stream among them ends when {@link endAll} is called. */
  track(response: Response): Response;
  /** Closes every stream, also those opened later, as a finished response: the client resumes elsewhere. */
  endAll(): void;
}

export function createStreams(): Streams {
  const open = new Set<() => void>();
  let ended = false;

  function endable(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let end = () => {};
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          end = () => {
            if (!open.delete(end)) return;
            controller.close();
            void reader.cancel("the server is stopping").catch(() => undefined);
          };
          open.add(end);
          if (ended) end();
        },
        async pull(controller) {
          const { done, value } = await reader.read();
          if (!open.has(end)) return;
          if (!done) controller.enqueue(value);
          else {
            open.delete(end);
            controller.close();
          }
        },
        cancel(reason) {
          open.delete(end);
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  return {
    track(response) {
      const type = response.headers.get("content-type") ?? "";
      if (response.body === null || !type.startsWith("text/event-stream")) return response;
      return new Response(endable(response.body), response);
    },
    endAll() {
      ended = true;
      for (const end of open) end();
    },
  };
}
