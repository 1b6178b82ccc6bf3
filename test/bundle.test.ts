import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

interface Output {
  imports: { path: string; kind: string; external?: boolean }[];
}

/** What esbuild says of the bundle that `npm run build` makes, built into a folder of its own. */
async function outputs(): Promise<Record<string, Output>> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  const scripts: { scripts: { build: string } } = JSON.parse(await readFile('package.json', 'utf8'));
  const [command = ''] = scripts.scripts.build.split(' && ');
  const [, ...flags] = command.split(' ');
  const report = join(folder, 'meta.json');
  await promisify(execFile)('node_modules/.bin/esbuild', [...flags, `--outdir=${folder}`, `--metafile=${report}`]);
  const { outputs: byPath }: { outputs: Record<string, Output> } = JSON.parse(await readFile(report, 'utf8'));
  await rm(folder, { recursive: true });
  return byPath;
}

test('what only some need is loaded when it is needed: no SDK of a provider, no embedded database, no GraphiQL at start', async () => {
  const byPath = await outputs();
  const atStart = new Set<string>();
  const walk = (path: string) => {
    if (atStart.has(path)) return;
    atStart.add(path);
    for (const found of byPath[path]?.imports ?? []) if (found.kind === 'import-statement') walk(found.path);
  };
  walk(Object.keys(byPath).find((path) => path.endsWith('/main.js')) ?? '');
  const late = /^(@aws-sdk|@smithy|@azure|@google-cloud|@electric-sql|@graphql-yoga\/render-graphiql|sharp|@hyzyla)/;
  expect([...atStart].filter((path) => late.test(path))).toEqual([]);
  // The walk sees packages at all, and the lazy ones exist.
  expect(atStart).toContain('fastify');
  const all = Object.values(byPath).flatMap(({ imports }) => imports.map(({ path }) => path));
  expect(all).toEqual(expect.arrayContaining(['@aws-sdk/client-s3', '@azure/storage-blob', '@electric-sql/pglite']));
});
