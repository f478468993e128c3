/**
 * What runs inside of the engine beside the program. It gets no function of ours: what a program prints and emits is kept in there, and
 * fetched once it has ended, as one text. Whatever the program does to it, it does to its own results.
 */
export const inside = `(function (given, logChars) {
  "use strict";
  const { stringify, parse } = JSON;
  const Text = String;
  const emitted = [];
  let log = "";
  const shown = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return value.name + ": " + value.message;
    try { return stringify(value) ?? Text(value); } catch { return Text(value); }
  };
  const print = (...values) => {
    if (log.length >= logChars) return;
    log = (log + values.map((value) => shown(value).slice(0, logChars)).join(" ") + "\\n").slice(0, logChars);
  };
  const files = Object.create(null);
  for (const file of parse(given)) {
    if (file.cells !== undefined) {
      const { columns } = file;
      file.rows = file.cells.map((cells) => {
        const row = {};
        for (let at = 0; at < columns.length; at += 1) {
          if (columns[at] === "__proto__") Object.defineProperty(row, "__proto__", { value: cells[at], enumerable: true });
          else row[columns[at]] = cells[at];
        }
        return row;
      });
      delete file.cells;
    }
    const { value } = file;
    const isRow = (of) => typeof of === "object" && of !== null && !Array.isArray(of);
    if (Array.isArray(value) && value.length > 0 && value.every(isRow)) {
      const columns = new Set();
      for (const row of value) for (const column of Object.keys(row)) if (columns.size < 200) columns.add(column);
      file.rows = value;
      file.columns = [...columns];
    }
    files[file.name] = file;
  }
  globalThis.files = files;
  globalThis.console = { log: print, info: print, warn: print, error: print, debug: print, table: print };
  globalThis.emit = (value) => {
    if (emitted.length >= 50) throw new RangeError("too much is emitted");
    emitted.push(value);
  };
  const problemOf = (error) => {
    // The engine has no room left for an error of its own then.
    if (error === null) return "throws null, as the engine does when it is out of memory";
    if (!(error instanceof Error)) return "throws " + shown(error).slice(0, 500);
    const message = Text(error.message).slice(0, 500);
    if (error.name === "InternalError" && (message === "interrupted" || message === "out of memory")) return message;
    const line = /program\\.js:(\\d+)/.exec(Text(error.stack).slice(0, 2000));
    return Text(error.name).slice(0, 50) + ": " + message + (line === null ? "" : " (line " + line[1] + ")");
  };
  return {
    done: (value) => stringify({ value, emitted, log }),
    failed: (error) => stringify({ problem: problemOf(error), log }),
    over: () => stringify({ problem: "interrupted", log }),
    stuck: () => stringify({ problem: "waits for what never comes: there are no timers and nothing to fetch", log }),
  };
})`;
