/**
 * Documents to text. Plain text is decoded here; whatever has to be parsed is parsed in a thread of its own, with bounds on
 * its time and memory: what a bomb costs is that thread.
 */
import { Worker } from "node:worker_threads";
import { createBudget } from "../../src/budget.ts";
import { InputError, reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Documents, DocumentText } from "../../src/reading.ts";
import { decode } from "./decode.ts";
import { formatOf } from "./formats.ts";
import type { Done, Job } from "./worker.ts";

const megabyte = 1_000_000;
/** `heapMb`, `bytes`: of one thread, its heap and what it holds outside of it. */
const limits = {
  document: 15 * megabyte,
  unpacked: 24 * megabyte,
  enoughMs: 8_000,
  mostMs: 12_000,
  heapMb: 128,
  bytes: 120 * megabyte,
  lookMs: 50,
  threads: 2,
} as const;

export function createDocuments(deps: { readonly clock: Clock; readonly log: Log }): Documents {
  const inTurn = createBudget(limits.threads);

  return {
    maxBytes: limits.document,
    reads: (of) => formatOf(of) !== undefined,
    async read(document, maxChars, { marked = false } = {}) {
      const format = formatOf(document);
      if (format === undefined) throw new InputError("nobody here reads such files");
      if (format === "text") {
        const bytes = document.bytes.subarray(0, maxChars * 4);
        const cut = bytes.byteLength < document.bytes.byteLength;
        return clipped({ text: decode(bytes), cut }, maxChars, false);
      }
      const { unpacked: maxUnpacked, enoughMs } = limits;
      const job = { bytes: new Uint8Array(document.bytes), format, maxChars, maxUnpacked, enoughMs, marked };
      return clipped(await inTurn(1, () => readInThread(job, deps)), maxChars, marked && format === "pdf");
    },
  };
}

/** @param paged form feeds separate pages, and stay. */
function clipped(read: DocumentText, maxChars: number, paged: boolean): DocumentText {
  const text = paged ? read.text.split("\f").map(tidied).join("\f").trimEnd() : tidied(read.text);
  return text.length <= maxChars
    ? { ...read, text }
    : { ...read, text: text.slice(0, maxChars).toWellFormed(), cut: true };
}

function tidied(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.trimEnd());
  return lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

async function readInThread(
  job: Job,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<DocumentText> {
  const thread = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: job,
    transferList: [job.bytes.buffer as ArrayBuffer],
    resourceLimits: { maxOldGenerationSizeMb: limits.heapMb, maxYoungGenerationSizeMb: 32 },
    // Nothing of the process's is the document's business, and what a library prints may quote it.
    env: {},
    execArgv: ["--no-warnings"],
    stdout: true,
    stderr: true,
  });
  thread.stdout.resume();
  thread.stderr.resume();
  const { promise, resolve, reject } = Promise.withResolvers<Done>();
  const giveUp = (why: string) => {
    log.warn({ format: job.format }, `a document is given up: ${why}`);
    reject(new InputError(why));
  };
  thread.once("message", resolve);
  thread.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY") return giveUp(tooMuch);
    log.warn({ format: job.format, reason: reasonOf(new Error(error.name)) }, "a document's thread failed");
    reject(new InputError("it cannot be read"));
  });
  thread.once("exit", () => reject(new InputError("it cannot be read")));
  const stopTimer = clock.after(limits.mostMs, () => giveUp("reading it takes too long"));
  const stopLooking = watchMemory(thread, clock, () => giveUp(tooMuch));
  try {
    const answer = await promise;
    if ("refused" in answer) throw new InputError(answer.refused);
    return answer.done;
  } finally {
    stopTimer();
    stopLooking();
    await thread.terminate();
  }
}

const tooMuch = "it takes too much memory once it is unpacked";

/** What is outside the heap is bounded by nobody else. The thread is asked in the middle of whatever it does. */
function watchMemory(thread: Worker, clock: Clock, over: () => void): () => void {
  let stop = clock.after(limits.lookMs, look);
  function look(): void {
    stop = clock.after(limits.lookMs, look);
    thread.getHeapStatistics().then(
      ({ external_memory: bytes }) => {
        if (bytes > limits.bytes) over();
      },
      () => undefined, // it has ended
    );
  }
  return () => stop();
}
