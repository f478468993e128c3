import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import type { UserConfig } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The page and the script that puts it into other sites, from one build. */
export const pageConfig = {
  root: here,
  // Relative, so that the gateway may be served below a path.
  base: "./",
  logLevel: "warn",
  plugins: [react()],
  build: {
    outDir: `${here}dist`,
    emptyOutDir: true,
    target: "es2023",
    // A data: address would need an exception in the content-security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: { index: `${here}index.html`, embed: `${here}embed.ts` },
      output: {
        // Other sites name embed.js in their pages: its address never changes.
        entryFileNames: (chunk) => (chunk.name === "embed" ? "embed.js" : "assets/[name]-[hash].js"),
      },
    },
  },
} satisfies UserConfig;

export default pageConfig;
