import { backoff } from "./backoff.ts";
import { HttpError, isRefusal, type Client } from "./client.ts";
import { follow, type Stream } from "./events.ts";
import { uuid } from "./id.ts";
import type { FileStore, Outbox, Store, Unsent } from "./outbox.ts";
import { createOutbox } from "./outbox.ts";
import { initialState, reduce, type Action, type State } from "./store.ts";
import type { ServerEvent, Session, Thumb } from "./wire.ts";

/** What the components see: the state, and what a person can do. */
export type Chat = {
  readonly state: () => State;
  readonly subscribe: (listener: () => void) => () => void;
  readonly start: () => void;
  readonly send: (text: string, files?: readonly File[]) => void;
  readonly press: (message: string, button: { readonly id: string; readonly label: string }) => void;
  /** Shown at once, and taken back where it was not kept. @returns whether it was. */
  readonly rate: (message: string, thumb: Thumb | null, why?: string) => Promise<boolean>;
  readonly retry: (id?: string) => void;
  readonly discard: (id: string) => void;
  readonly stop: () => void;
  readonly reset: () => void;
  readonly loadEarlier: () => void;
  /** Connects at once instead of at the end of the wait. */
  readonly reconnect: () => void;
  readonly tell: (problem: string) => void;
  readonly hush: () => void;
};

type Options = {
  readonly makeClient: (onSession: (session: Session) => void) => Client;
  readonly store: Store;
  readonly files: FileStore;
  readonly now: () => Date;
};

const words = (error: unknown, otherwise: string): string => (error instanceof HttpError ? error.message : otherwise);

export const createChat = ({ makeClient, store, files, now }: Options): Chat => {
  let state = initialState;
  const listeners = new Set<() => void>();
  let stream: Stream | undefined;
  let participant: string | undefined;
  /** Ends the wait before the next attempt of the first load. */
  let hurry: (() => void) | undefined;

  const dispatch = (action: Action): void => {
    const next = reduce(state, action);
    if (next === state) return;
    state = next;
    for (const listener of listeners) listener();
  };

  const client = makeClient((session) => {
    const changed = participant !== undefined && participant !== session.participant.id;
    participant = session.participant.id;
    dispatch({ type: "session", session });
    // The cookie was lost: this is another conversation now.
    if (changed) void load();
  });

  const outbox: Outbox = createOutbox({
    store,
    files,
    send: client.send,
    upload: client.upload,
    onChange: (unsent: readonly Unsent[]) => dispatch({ type: "unsent", unsent }),
  });

  const onEvent = (event: ServerEvent): void => {
    dispatch({ type: "event", event, at: now().toISOString() });
    if (event.type === "message" && event.message.clientId !== undefined)
      outbox.confirm(new Set([event.message.clientId]));
  };

  /** Reads the newest history and follows the events from there on. Throws what the client throws. */
  const load = async (): Promise<void> => {
    stream?.close();
    const history = await client.history();
    outbox.confirm(new Set(history.messages.flatMap((m) => (m.clientId === undefined ? [] : [m.clientId]))));
    dispatch({ type: "loaded", history });
    stream?.close();
    stream = follow({
      open: client.events,
      after: history.lastEventId,
      onEvent,
      onConnection: (connection) => {
        const back = connection === "open" && state.connection === "lost";
        dispatch({ type: "connection", connection });
        if (back) outbox.retry();
      },
      onGap: () => void insist(load),
    });
  };

  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** Runs `work` until it succeeds or is refused; the person sees why it does not. */
  const insist = async (work: () => Promise<void>): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        await work();
        return;
      } catch (error) {
        const failure = words(error, "The gateway can’t be reached.");
        dispatch({ type: "connection", connection: "lost" });
        if (state.phase !== "ready" && (attempt > 0 || isRefusal(error))) dispatch({ type: "failed", failure });
        const asked = error instanceof HttpError ? (error.retryAfter ?? 0) : 0;
        await wait(Math.max(asked, backoff(isRefusal(error) ? attempt + 4 : attempt)));
      }
    }
  };

  const begin = async (): Promise<void> => {
    await client.session();
    await load();
  };

  return {
    state: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start: () => {
      void insist(begin).then(outbox.start);
    },
    send: (text, attached = []) => {
      const unsent = attached.map((file) => ({ id: uuid(), name: file.name, type: file.type, size: file.size }));
      outbox.add({ id: uuid(), at: now().toISOString(), text, files: unsent }, attached);
    },
    press: (message, button) => {
      const press = { message, button: button.id };
      outbox.add({ id: uuid(), at: now().toISOString(), text: button.label, files: [], press }, []);
    },
    rate: async (message, thumb, why) => {
      const before = state.rated[message] ?? state.messages.find(({ id }) => id === message)?.rated ?? null;
      dispatch({ type: "rated", message, thumb });
      try {
        await client.rate(message, thumb, why);
        return true;
      } catch (error) {
        dispatch({ type: "rated", message, thumb: before });
        dispatch({ type: "problem", text: words(error, "That was not kept: the gateway can’t be reached.") });
        return false;
      }
    },
    retry: outbox.retry,
    discard: outbox.discard,
    stop: () => {
      if (state.stopping) return;
      dispatch({ type: "stopping", stopping: true });
      client.stop().catch((error: unknown) => {
        dispatch({ type: "stopping", stopping: false });
        dispatch({
          type: "problem",
          text: words(error, "The answer could not be stopped: the gateway can’t be reached."),
        });
      });
    },
    reset: () => {
      client.reset().then(
        () => {
          outbox.clear();
          dispatch({ type: "cleared" });
        },
        (error: unknown) =>
          dispatch({ type: "problem", text: words(error, "No new conversation yet: the gateway can’t be reached.") }),
      );
    },
    loadEarlier: () => {
      if (state.before === undefined || state.loadingEarlier) return;
      dispatch({ type: "earlier" });
      client.history(state.before).then(
        (history) => dispatch({ type: "earlierLoaded", history }),
        (error: unknown) => {
          dispatch({ type: "earlierFailed" });
          dispatch({ type: "problem", text: words(error, "Earlier messages could not be loaded.") });
        },
      );
    },
    reconnect: () => {
      if (state.phase === "failed") dispatch({ type: "retrying" });
      hurry?.();
      stream?.reconnect();
      outbox.retry();
    },
    tell: (text) => dispatch({ type: "problem", text }),
    hush: () => dispatch({ type: "problemSeen" }),
  };
};
