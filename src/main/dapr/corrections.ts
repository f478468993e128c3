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
  {
    // A sidecar that is asked to end goes on reading from Redis: while it waits for what it has in hand, and once more after
    // that, since a read that waits for the next entry is not interrupted. What it reads then it gives to nobody, and it
    // comes back after a minute. Here it can be paused, as the one of Kafka: it reads no more, and gives out what it has.
    // Reading has connections of its own, which a pause closes.
    module: "github.com/dapr/components-contrib",
    file: "pubsub/redis/redis.go",
    edits: [
      {
        after: "type redisStreams struct {",
        find: "client ",
        put: "reader rediscomponent.RedisClient\n\tpaused atomic.Bool\n\tclient ",
      },
      {
        after: "redis streams: error connecting to redis",
        find: "}",
        put:
          "}\n\tr.reader, _, err = rediscomponent.ParseClientFromProperties(metadata.Properties, contribMetadata.PubSubType, ctx, &r.logger)" +
          "\n\tif err != nil {\n\t\treturn err\n\t}",
      },
      {
        after: "func (r *redisStreams) pollNewMessagesLoop(",
        find: "if ctx.Err() != nil {",
        put: "if ctx.Err() != nil || r.paused.Load() {",
      },
      {
        after: "func (r *redisStreams) pollNewMessagesLoop(",
        find: "r.client.XReadGroupResult(",
        put: "r.reader.XReadGroupResult(",
      },
      {
        after: "func (r *redisStreams) pollNewMessagesLoop(",
        find: "if !r.client.IsNilValueError(err) &&",
        put: "if !r.paused.Load() && !r.client.IsNilValueError(err) &&",
      },
      { after: "func (r *redisStreams) reclaimPendingMessages(", find: "for {", put: "for !r.paused.Load() {" },
      {
        after: "func (r *redisStreams) Close() error {",
        find: "if r.client == nil {",
        put: "if r.reader != nil {\n\t\t_ = r.reader.Close()\n\t}\n\tif r.client == nil {",
      },
      {
        after: "func (r *redisStreams) Close() error {",
        find: "func (r *redisStreams) Features()",
        put:
          "func (r *redisStreams) Pause(context.Context) error {\n\tif r.paused.Swap(true) {\n\t\treturn nil\n\t}\n\treturn r.reader.Close()\n}\n\n" +
          'func (r *redisStreams) Resume(context.Context) error {\n\treturn errors.New("redis streams: what was paused does not go on")\n}\n\n' +
          "func (r *redisStreams) Features()",
      },
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
