/** A file part of a multipart request. */
export interface Upload {
  readonly field: string;
  readonly name: string;
  readonly mime: string;
  readonly data: Buffer;
}

/**
 * An incremental parser of multipart/form-data (RFC 7578): `push` takes the body as it arrives and copies each byte once.
 * File parts are kept in memory; the server bounds the body before it gets here.
 */
export interface MultipartParser {
  push(chunk: Buffer): void;
  /** The fields and files, or undefined when the body ended before its closing boundary. */
  end(): { readonly fields: Record<string, string>; readonly files: Map<string, Upload> } | undefined;
}

interface Part {
  readonly field: string;
  readonly name: string | undefined;
  readonly mime: string;
  readonly chunks: Buffer[];
}

const HEADERS_END = Buffer.from("\r\n\r\n");

export function boundaryOf(contentType: string): string | undefined {
  const match = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType);
  return match?.[1] ?? match?.[2]?.trim();
}

export function multipartParser(boundary: string): MultipartParser {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const fields: Record<string, string> = {};
  const files = new Map<string, Upload>();
  // The first delimiter has no line break before it: a virtual one makes every delimiter alike.
  let pending: Buffer = Buffer.from("\r\n");
  let part: Part | undefined;
  let state: "preamble" | "delimiter" | "headers" | "data" | "done" = "preamble";

  const finish = (done: Part) => {
    const data = Buffer.concat(done.chunks);
    if (done.name === undefined) fields[done.field] = data.toString("utf8");
    else files.set(done.field, { field: done.field, name: done.name, mime: done.mime, data });
  };

  /** Consumes up to the delimiter, keeping what may be its beginning. True when the delimiter was passed. */
  const passDelimiter = (): boolean => {
    const at = pending.indexOf(delimiter);
    const end = at >= 0 ? at : Math.max(0, pending.length - delimiter.length + 1);
    if (end > 0) part?.chunks.push(pending.subarray(0, end));
    pending = pending.subarray(at >= 0 ? at + delimiter.length : end);
    return at >= 0;
  };

  const step = (): boolean => {
    switch (state) {
      case "preamble":
      case "data":
        if (!passDelimiter()) return false;
        if (part !== undefined) finish(part);
        part = undefined;
        state = "delimiter";
        return true;
      case "delimiter":
        if (pending.length < 2) return false;
        state = pending.toString("latin1", 0, 2) === "--" ? "done" : "headers";
        pending = pending.subarray(2);
        return state === "headers";
      case "headers": {
        const at = pending.indexOf(HEADERS_END);
        if (at < 0) return false;
        part = partOf(pending.toString("utf8", 0, at));
        pending = pending.subarray(at + HEADERS_END.length);
        state = "data";
        return true;
      }
      case "done":
        return false;
    }
  };

  return {
    push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (step());
    },
    end: () => (state === "done" ? { fields, files } : undefined),
  };
}

function partOf(headers: string): Part {
  const disposition = /^content-disposition:(.*)$/im.exec(headers)?.[1] ?? "";
  const mime = /^content-type:\s*(.*)$/im.exec(headers)?.[1]?.trim() ?? "application/octet-stream";
  return { field: parameter(disposition, "name") ?? "", name: parameter(disposition, "filename"), mime, chunks: [] };
}

/** A parameter of a header, quoted or not (grammY sends file names unquoted). */
function parameter(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;]*))`, "i").exec(header);
  return match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2]?.trim();
}
