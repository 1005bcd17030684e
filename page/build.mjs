// Builds the page: node build.mjs [FOLDER]. The same sources and packages give the same bytes.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2] ?? `${here}built`;

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.jsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome110", "firefox110", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "inline",
});
await build({
  absWorkingDir: here,
  entryPoints: { page: "src/page.css" },
  outdir: out,
  bundle: true,
  minify: true,
  target: ["chrome110", "firefox110", "safari16"],
});
await copyFile(`${here}index.html`, `${out}/index.html`);
