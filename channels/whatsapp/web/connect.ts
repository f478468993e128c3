/** Keeps the number linked: one browser after another, until it is no longer wanted. */
import { access, constants } from "node:fs/promises";
import type { ChannelDeps, Connection, LinkState } from "../../../src/channel.ts";
import { reasonOf, TerminalError } from "../../../src/errors.ts";
import type { WhatsAppOptions } from "../settings.ts";
import { createWebAcks } from "./acks.ts";
import { createClient, type BrowserOptions } from "./browser.ts";
import { history } from "./history.ts";
import { createWebIntake, type WebIntake } from "./intake.ts";
import { live, type Life } from "./life.ts";
import { drawn } from "../../../src/qr.ts";
import { createWaits } from "../../../src/waits.ts";

const firstPauseMs = 2_000;
const longestPauseMs = 300_000;
/** How long WhatsApp takes a browser's first code, and each that follows. */
const firstCodeMs = 60_000;
const codeMs = 20_000;

export interface WebPlace extends Omit<BrowserOptions, "chromium" | "session"> {
  /** Where the code to scan is printed. */
  readonly print?: (text: string) => void;
}

export interface WebConnector {
  connect(signal: AbortSignal): Promise<Connection>;
  /** The present browser; absent before the first and between two. */
  life(): Life | undefined;
  /** Why the last browser ended, until another one is ready. */
  trouble(): string | undefined;
  /** As the channel's `watchLink`. */
  watch(listener: (link: LinkState) => void): void;
  readonly intake: WebIntake;
}

export function createWebConnector(deps: ChannelDeps, options: WhatsAppOptions, place: WebPlace): WebConnector {
  const { log, clock, channel, account, tenant } = deps;
  const waits = createWaits(clock);
  const about = { channel, account };
  const print = place.print ?? ((text: string) => void process.stdout.write(text));
  const session = Buffer.from(`${tenant}/${account}`).toString("hex");
  let stopped = new AbortController().signal;
  let life: Life | undefined;
  let trouble: string | undefined;
  let own: readonly string[] = [];
  let listener: (link: LinkState) => void = () => undefined;
  const tell = (state: LinkState["state"], code?: LinkState["code"]) => {
    listener({ state, ...(code === undefined ? {} : { code }), ...(trouble === undefined ? {} : { trouble }) });
  };
  const intake = createWebIntake(
    deps,
    () => ({ own }),
    () => stopped,
  );
  const acks = createWebAcks(deps, () => stopped);

  async function oneLife(signal: AbortSignal, ready: () => void): Promise<string> {
    const { directory } = place;
    const browser = await createClient({ directory, session, chromium: options.chromium });
    let told = false;
    const current = live(browser, clock, options.webReadySeconds * 1_000, {
      qr(code) {
        tell("waiting for a scan", { text: code, until: clock.now() + (told ? codeMs : firstCodeMs) });
        if (!told)
          log.warn(
            about,
            "whatsapp web: scan the code with the phone: WhatsApp > Linked devices; `ascent doctor` shows it too",
          );
        told = true;
        print(`\n${drawn(code)}\n`);
      },
      letIn: () => tell("starting"),
      ready(of) {
        const { wid } = of.info;
        own = [wid._serialized];
        intake.catchUp((since) => history(of, since));
        log.info(about, "whatsapp web: ready");
        ready();
        tell("ready");
      },
      message: intake.take,
      ack: acks.take,
    });
    life = current;
    tell("starting");
    const abort = () => current.end("is no longer wanted");
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await current.ended;
    } finally {
      signal.removeEventListener("abort", abort);
      life = undefined;
    }
  }

  async function run(signal: AbortSignal, ready: () => void): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      let why: string;
      try {
        why = await oneLife(signal, () => {
          failures = 0;
          trouble = undefined;
          ready();
        });
      } catch (error) {
        why = `could not start: ${reasonOf(error)}`;
      }
      if (signal.aborted) break;
      trouble = why;
      tell("no browser");
      const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
      log.warn(
        { ...about, why, seconds: Math.round(ms / 1_000) },
        "whatsapp web: the browser ended, another one is started",
      );
      await waits.sleep(ms, signal);
    }
    await Promise.all([intake.idle(), acks.idle()]);
  }

  return {
    intake,
    life: () => life,
    trouble: () => trouble,
    watch(by) {
      listener = by;
    },
    async connect(signal) {
      stopped = signal;
      await access(options.chromium, constants.X_OK).catch((error: unknown) => {
        throw new TerminalError(
          "whatsapp web: there is no browser at CHROMIUM_PATH (chromium): install Chromium, or say where it is",
          {
            cause: error,
          },
        );
      });
      log.warn(about, "whatsapp web is unofficial: WhatsApp may ban the number for it; use a number that you can lose");
      const first = Promise.withResolvers<void>();
      const closed = run(signal, first.resolve);
      await Promise.race([first.promise, closed]);
      return { closed };
    },
  };
}
