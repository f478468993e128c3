import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** The server's side of a WebSocket (RFC 6455): text frames without extensions, which is what the platforms' gateways speak. */
export interface ServerSocket {
  send(text: string): void;
  /** Sends the close frame and ends the connection a moment later, whether or not the other side answers. */
  close(code: number, reason?: string): void;
  /** Cuts the connection without a word. */
  destroy(): void;
  readonly open: boolean;
}

export interface SocketHandlers {
  onText(text: string): void;
  /** Once, however it ended; 1006 where no close frame came. */
  onClose(code: number): void;
}

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** For an `upgrade` event of a node:http server. */
export function acceptSocket(request: IncomingMessage, stream: Duplex, handlers: SocketHandlers): ServerSocket {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1")
    .update(key + guid)
    .digest("base64");
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let pending: Buffer = Buffer.alloc(0);
  let fragments: Buffer[] = [];
  let open = true;
  let closeCode = 1006;

  const write = (opcode: number, payload: Buffer) => {
    if (!stream.destroyed) stream.write(frame(opcode, payload));
  };
  const end = () => {
    if (!open) return;
    open = false;
    handlers.onClose(closeCode);
  };

  function take(opcode: number, payload: Buffer, last: boolean): void {
    if (opcode === opcodes.ping) return write(opcodes.pong, payload);
    if (opcode === opcodes.close) {
      closeCode = payload.length >= 2 ? payload.readUInt16BE() : 1005;
      write(opcodes.close, payload.subarray(0, 2));
      stream.end();
      return end();
    }
    if (opcode === opcodes.pong) return;
    fragments.push(payload);
    if (!last) return;
    const text = Buffer.concat(fragments).toString("utf8");
    fragments = [];
    if (open) handlers.onText(text);
  }

  stream.on("data", (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let read = readFrame(pending); read !== undefined; read = readFrame(pending)) {
      pending = pending.subarray(read.length);
      take(read.opcode, read.payload, read.last);
    }
  });
  stream.on("close", end);
  stream.on("error", end);

  return {
    send: (text) => write(opcodes.text, Buffer.from(text)),
    close(code, reason = "") {
      closeCode = code;
      const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
      payload.writeUInt16BE(code);
      payload.write(reason, 2);
      write(opcodes.close, payload);
      end();
      setTimeout(() => stream.destroy(), 200).unref();
    },
    destroy: () => void stream.destroy(),
    get open() {
      return open;
    },
  };
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly last: boolean;
  /** Bytes of the whole frame. */
  readonly length: number;
}

/** The first whole frame of a client, unmasked; undefined until it is all there. */
function readFrame(bytes: Buffer): Frame | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  let size = second & 0x7f;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return undefined;
    size = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  const masked = (second & 0x80) !== 0;
  const start = at + (masked ? 4 : 0);
  if (bytes.length < start + size) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + size));
  if (masked) for (let i = 0; i < size; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[at + (i % 4)] ?? 0);
  return { opcode: first & 0x0f, payload, last: (first & 0x80) !== 0, length: start + size };
}

function frame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : payload.length < 65_536
        ? Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, 127]), sizeOf(payload.length)]);
  return Buffer.concat([head, payload]);
}

function sizeOf(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}
