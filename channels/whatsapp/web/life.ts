/** One life of the browser: from its start until it is ended, by whomever. Its events, and a watchdog for the ready that never comes. */
import type { ChildProcess } from "node:child_process";
import type { Client, Message } from "whatsapp-web.js";
import { reasonOf } from "../../../src/errors.ts";
import type { Clock } from "../../../src/ports.ts";
import type { BrowserClient } from "./browser.ts";

export type State = "starting" | "waiting for a scan" | "ready" | "ended";

export interface LifeEvents {
  /** The code to scan; another one every 20 seconds or so. */
  qr(code: string): void;
  /** The code was scanned, or the session is known: ready comes next. */
  letIn(): void;
  ready(client: Client): void;
  message(given: unknown, edited: boolean): void;
  /** How far a message of the number's own got. */
  ack(message: Message, level: number): void;
}

export interface Life {
  readonly client: Client;
  state(): State;
  /** The code that is to be scanned now. */
  code(): string | undefined;
  /** Resolves with why. */
  readonly ended: Promise<string>;
  end(why: string): void;
}

const closeMs = 10_000;

export function live({ client, launched }: BrowserClient, clock: Clock, readyMs: number, events: LifeEvents): Life {
  const over = Promise.withResolvers<string>();
  let state: State = "starting";
  let code: string | undefined;
  let stopWatch: (() => void) | undefined;

  const watch = (what: string) => {
    stopWatch?.();
    stopWatch = clock.after(readyMs, () => end(`${what} and never got ready`));
  };

  function end(why: string): void {
    if (state === "ended") return;
    state = "ended";
    code = undefined;
    stopWatch?.();
    // One that is still starting would stay behind.
    const late = () => new Promise<void>((resolve) => void clock.after(closeMs, resolve));
    void Promise.race([launched, initialized, late()])
      .then(() => Promise.race([client.destroy(), late()]))
      .then(() => gone(client.pupBrowser?.process() ?? undefined, clock))
      .finally(() => over.resolve(why));
  }

  guard(client, (error) => end(`failed: ${reasonOf(error)}`));
  client.on("qr", (given) => {
    // A person takes the time it takes.
    stopWatch?.();
    state = "waiting for a scan";
    code = given;
    events.qr(given);
  });
  client.on("authenticated", () => {
    if (state === "ready" || state === "ended") return;
    code = undefined;
    state = "starting";
    events.letIn();
    watch("was let in");
  });
  client.on("ready", () => {
    if (state === "ended") return;
    stopWatch?.();
    code = undefined;
    state = "ready";
    events.ready(client);
  });
  client.on("message", (message) => events.message(message.rawData, false));
  client.on("message_edit", (message) => events.message(message.rawData, true));
  client.on("message_revoke_everyone", (message) => events.message(message.rawData, false));
  client.on("message_ack", (message, level) => events.ack(message, level));
  client.on("auth_failure", () => end("was not let in"));
  client.on("disconnected", (reason) => end(`was disconnected: ${reason}`));
  watch("started");
  const initialized = client.initialize().then(
    () => void client.pupBrowser?.once("disconnected", () => end("lost its browser")),
    (error: unknown) => end(`could not start: ${reasonOf(error)}`),
  );
  return { client, state: () => state, code: () => code, ended: over.promise, end };
}

/** The library calls these by itself, and nobody would hear of their failing: it would end the whole process. */
function guard(client: Client, failed: (error: unknown) => void): void {
  const inner = client as unknown as { inject(): Promise<void>; destroy(): Promise<void> };
  const inject = inner.inject.bind(client);
  const destroy = inner.destroy.bind(client);
  inner.inject = () => inject().catch(failed);
  inner.destroy = () => destroy().catch(() => undefined);
}

/** A browser that ends by itself writes its session down first; one that does not is made to. */
function gone(browser: ChildProcess | undefined, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (browser === undefined || browser.exitCode !== null || browser.signalCode !== null) return resolve();
    const cancel = clock.after(closeMs, () => browser.kill("SIGKILL"));
    browser.once("exit", () => {
      cancel();
      resolve();
    });
  });
}
