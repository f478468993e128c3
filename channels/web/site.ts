/** The page itself and the API's documentation: files from two directories, nothing built on request. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gzip } from "node:zlib";
import { promisify } from "node:util";
import { type Context, Hono } from "hono";
import type { WebSettings } from "./settings.ts";

const types: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};
/** One segment of a path: no way up, nothing hidden. */
const segment = "[A-Za-z0-9_-][A-Za-z0-9._-]*";
const inAssets = new RegExp(`^assets(/${segment}){1,3}$`);
const atRoot = new RegExp(`^${segment}\\.(svg|png|ico|txt|webmanifest)$`);
const ofDocs = new Set(["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"]);

const revalidate = "no-cache";
const forever = "public, max-age=31536000, immutable";

const policy = (ancestors: string, style = "'self'") =>
  `default-src 'self'; script-src 'self'; style-src ${style}; img-src 'self' data: blob:; media-src 'self' blob:; ` +
  `connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors ${ancestors}`;

interface File {
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly packed: Uint8Array<ArrayBuffer> | undefined;
  readonly type: string;
  readonly etag: string;
}

/** Swagger UI keeps a wide margin around a description, and the links above it are in one of their own. */
const docsStyle = `
body { margin: 0; }
nav.swagger-ui .info { margin: 24px auto -24px; }
`;

/** Swagger UI has a dark form, but leaves it to the page to choose it. */
const docsStart = (urls: readonly string[]) => `
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();
const urls = ${JSON.stringify(urls)};
const url = urls[Number(new URLSearchParams(location.search).get("api"))] ?? urls[0];
SwaggerUIBundle({ url, dom_id: "#docs", deepLinking: true });
`;

const pack = promisify(gzip);
const require = createRequire(import.meta.url);

async function load(directory: string, path: string): Promise<File | undefined> {
  try {
    const plain = new Uint8Array(await readFile(join(directory, path)));
    const type = types[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const packed = /^(text|application)|svg/.test(type) ? new Uint8Array(await pack(plain)) : undefined;
    return { plain, packed, type, etag: `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function answer(c: Context, file: File, headers: Readonly<Record<string, string>>): Response {
  const common = { ...headers, etag: file.etag, vary: "accept-encoding", "x-content-type-options": "nosniff" };
  if (c.req.header("if-none-match") === file.etag) return c.body(null, 304, common);
  const packed = file.packed !== undefined && /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
  const body = packed && file.packed !== undefined ? file.packed : file.plain;
  return c.body(body, 200, { ...common, "content-type": file.type, ...(packed && { "content-encoding": "gzip" }) });
}

export function createSite({
  pageDirectory,
  embedOrigins,
  documents,
}: Pick<WebSettings, "pageDirectory" | "embedOrigins" | "documents">) {
  const app = new Hono();
  /** Hashed names: what was read once is what will be read. */
  const assets = new Map<string, File>();

  app.get("/", async (c) => {
    const page = await load(pageDirectory, "index.html");
    if (page === undefined) return c.text("The chat page is not built: start the gateway by `npm start`.", 503);
    const framed = c.req.query("embed") === "1" && embedOrigins.length > 0;
    return answer(c, page, {
      "content-security-policy": policy(framed ? embedOrigins.join(" ") : "'none'"),
      "referrer-policy": "same-origin",
      "cache-control": revalidate,
      "permissions-policy": "camera=(), geolocation=(), payment=(), usb=()",
    });
  });

  app.get("/embed.js", async (c) => {
    const script = await load(pageDirectory, "embed.js");
    if (script === undefined) return c.notFound();
    return answer(c, script, {
      "cross-origin-resource-policy": "cross-origin",
      "cache-control": "public, max-age=300",
    });
  });

  const described = [{ name: "Web chat", url: "/openapi.json" }, ...documents];
  // Swagger UI's own bar would need inline styles.
  const links = described.map(({ name }, at) => `<a href="/docs?api=${at}">${name}</a>`).join(" · ");
  const choice = documents.length === 0 ? "" : `<nav class="swagger-ui"><p class="wrapper info">${links}</p></nav>`;
  app.get("/docs", (c) => {
    c.header("content-security-policy", policy("'none'"));
    c.header("referrer-policy", "same-origin");
    return c.html(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ascent API</title>` +
        `<meta name="viewport" content="width=device-width, initial-scale=1">` +
        `<link rel="icon" href="/docs/favicon-32x32.png"><link rel="stylesheet" href="/docs/swagger-ui.css">` +
        `<link rel="stylesheet" href="/docs/own.css">` +
        `</head><body>${choice}<div id="docs"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>`,
    );
  });
  app.get("/docs/start.js", (c) =>
    c.body(docsStart(described.map(({ url }) => url)), 200, {
      "content-type": types["js"] ?? "",
      "cache-control": revalidate,
    }),
  );
  app.get("/docs/own.css", (c) =>
    c.body(docsStyle, 200, { "content-type": types["css"] ?? "", "cache-control": revalidate }),
  );
  app.get("/docs/:file", async (c) => {
    const name = c.req.param("file");
    if (!ofDocs.has(name)) return c.notFound();
    const directory = dirname(require.resolve("swagger-ui-dist/package.json"));
    const file = await load(directory, name);
    return file === undefined ? c.notFound() : answer(c, file, { "cache-control": revalidate });
  });

  app.get("/*", async (c) => {
    const path = c.req.path.slice(1);
    const hashed = inAssets.test(path);
    if (!hashed && !atRoot.test(path)) return c.notFound();
    const file = assets.get(path) ?? (await load(pageDirectory, path));
    if (file === undefined) return c.notFound();
    if (hashed) assets.set(path, file);
    return answer(c, file, { "cache-control": hashed ? forever : revalidate });
  });
  return app;
}
