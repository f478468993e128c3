/**
 * Mistakes of Dapr 1.18.2 by which messages are lost or wait for ever, and how the build corrects them in its own copy of the
 * modules. All were seen on real servers; an installed Dapr has them.
 */

export interface Correction {
  readonly module: string;
  /** Inside the module. */
  readonly file: string;
  readonly edits: readonly Edit[];
}

/** Behind the text `after`, which the file has once, the next `find` becomes `put`. */
interface Edit {
  readonly after: string;
  readonly find: string;
  readonly put: string;
}

export const corrections: readonly Correction[] = [
  {
    // Concurrent calls of the application overwrite one another's handler: one that could not reach it was taken for answered,
    // empty, with 200. A restart of the application under load lost 2 of 11,094 deliveries, and 26 of 27,436 actor calls.
    // Here every call has a pipeline of its own.
    module: "github.com/dapr/dapr",
    file: "pkg/middleware/http/pipeline.go",
    edits: [
      {
        after: "func (p *pipeline) http()",
        find: "(root http.Handler) http.Handler {",
        put: "(root http.Handler) http.Handler {\n\t\tp := newPipeline(p.name, p.store, p.spec)",
      },
    ],
  },
  {
    // Actors that were about to move when the sidecar lost placement stayed locked for ever: the next round finds nothing changed,
    // and unlocks nothing. Two deaths of placement under load, or a sidecar that came back late, and every call of an actor
    // through that sidecar hung until it was started again. Here the locks of a round end with its stream.
    module: "github.com/dapr/dapr",
    file: "pkg/actors/internal/placement/loops/disseminator/inflight/inflight.go",
    edits: [
      {
        after: "func (i *Inflight) Close(err error)",
        find: "i.lock = nil",
        put: "i.lock = nil\n\tclear(i.blockedTypes)",
      },
    ],
  },
  {
    // A publish that the broker did not confirm succeeds, also with publisherConfirm: five deaths of RabbitMQ under load lost 2
    // of 4,519 messages. Here it is an error.
    module: "github.com/dapr/components-contrib",
    file: "pubsub/rabbitmq/rabbitmq.go",
    edits: [
      {
        after: "did not receive confirmation",
        find: "req.Topic, err)",
        put: "req.Topic, err)\n\t\t\treturn r.channel, r.connectionCount, err",
      },
      { after: "publisher is reconnecting in", find: "return nil", put: "return ctx.Err()" },
      { after: "publishing attempt (%d/%d) failed", find: "return nil", put: "return ctx.Err()" },
    ],
  },
];

/** @throws Error where the text is not the one that the correction was made for. */
export function corrected(text: string, { file, edits }: Correction): string {
  let result = text;
  for (const { after, find, put } of edits) {
    const anchors = result.split(after).length - 1;
    const from = result.indexOf(after) + after.length;
    const at = result.indexOf(find, from);
    if (anchors !== 1 || at === -1)
      throw new Error(`${file} is not the one that its correction was made for: "${after}"`);
    result = result.slice(0, at) + put + result.slice(at + find.length);
  }
  return result;
}
