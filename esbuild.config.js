import { cp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

/** What the bundle is made of: these files, and whatever is in these folders. */
const sources = ['src', 'prisma', 'esbuild.config.js', 'package-lock.json', 'node_modules/.package-lock.json'];

/**
 * Packages that stay outside the bundle: they bring native code, WebAssembly or files of their own, start workers, resist a
 * bundler (jsonc-parser's `require` is computed), or are loaded only by those who need them.
 */
const external = [
  '@aws-sdk/*',
  '@azure/*',
  '@electric-sql/*',
  '@fastify/swagger-ui',
  '@google-cloud/*',
  '@graphql-yoga/render-graphiql',
  '@hyzyla/pdfium',
  '@node-rs/argon2',
  '@prisma/client',
  'jsonc-parser',
  'pino',
  'sharp',
];

const { values, positionals } = parseArgs({
  options: { outdir: { type: 'string', default: 'dist' }, 'if-changed': { type: 'boolean', default: false } },
  // Other programs than the service's own: tests bundle the processes that they start.
  allowPositionals: true,
});
const { outdir, 'if-changed': ifChanged } = values;
const programs = ['src/main.ts', 'src/rotate-keys.ts', 'src/audit-log.ts', 'src/render/worker.ts'];
/** Written last: a build that was cut off has none, or an old one. */
const stamp = join(outdir, 'built.json');

if (!ifChanged || (await changed())) await bundle();

async function bundle() {
  const begun = new Date();
  const { build } = await import('esbuild');
  const { metafile } = await build({
    entryPoints: positionals.length > 0 ? positionals : programs,
    entryNames: '[name]',
    outdir,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    bundle: true,
    splitting: true,
    // Dependencies as well: reading one file instead of a thousand is two thirds of the time to start.
    external,
    banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
    sourcemap: true,
    // Node reads the map when it starts.
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  const written = new Set(Object.keys(metafile.outputs).map((path) => relative(outdir, path)));
  for (const name of await readdir(outdir)) if (!written.has(name)) await rm(join(outdir, name), { recursive: true });
  await cp('src/share/assets', join(outdir, 'assets'), { recursive: true });
  await writeFile(stamp, JSON.stringify(metafile));
  // What was changed meanwhile is younger.
  await utimes(stamp, begun, begun);
}

/** Whether a source, or a folder that had one, is younger than the bundle. */
async function changed() {
  const built = await timeOf(stamp);
  const times = await Promise.all(sources.map(youngest));
  return Math.max(...times) >= built;
}

/** @param {string} path of a file or a folder */
async function youngest(path) {
  const entries = await readdir(path, { recursive: true }).catch(() => []);
  return Math.max(...(await Promise.all([path, ...entries.map((entry) => join(path, entry))].map(timeOf))));
}

/**
 * When a file was written, in ms; 0: there is none.
 *
 * @param {string} path
 */
async function timeOf(path) {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
