import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

interface Output {
  imports: { path: string; kind: string }[];
  inputs: Record<string, unknown>;
}

let folder: string;
const build = (...flags: string[]) => promisify(execFile)(process.execPath, ['esbuild.config.js', '--outdir', folder, ...flags]);
const packageOf = (path: string) => path.split('node_modules/').at(-1) ?? '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  await build();
});
afterAll(() => rm(folder, { recursive: true }));

async function outputs(): Promise<Map<string, Output>> {
  const report: { outputs: Record<string, Output> } = JSON.parse(await readFile(join(folder, 'built.json'), 'utf8'));
  return new Map(Object.entries(report.outputs));
}

test('what only some need is loaded when it is needed: no SDK of a provider, no embedded database, no GraphiQL at start', async () => {
  const byPath = await outputs();
  const atStart = new Set<string>();
  const walk = (path: string) => {
    if (atStart.has(path)) return;
    atStart.add(path);
    const output = byPath.get(path);
    for (const input of Object.keys(output?.inputs ?? {})) atStart.add(packageOf(input));
    for (const found of output?.imports ?? []) if (found.kind === 'import-statement') walk(found.path);
  };
  walk([...byPath.keys()].find((path) => path.endsWith('/main.js')) ?? '');
  const late = /^(@aws-sdk|@smithy|@azure|@google-cloud|@electric-sql|@graphql-yoga\/render-graphiql|sharp|@hyzyla)/;
  expect([...atStart].filter((path) => late.test(path))).toEqual([]);
  // The walk sees packages at all, inside the bundle and outside, and the lazy ones exist.
  expect(atStart).toContain('fastify/fastify.js');
  expect(atStart).toContain('pino');
  const all = [...byPath.values()].flatMap(({ imports }) => imports.map(({ path }) => path));
  expect(all).toEqual(expect.arrayContaining(['@aws-sdk/client-s3', '@azure/storage-blob', '@electric-sql/pglite']));
});

test('there is one GraphQL and one zod: values of two copies do not know each other', async () => {
  const inputs = new Set([...(await outputs()).values()].flatMap((output) => Object.keys(output.inputs)));
  const copies = (name: string) =>
    new Set([...inputs].filter((path) => packageOf(path).startsWith(`${name}/`)).map((path) => path.split(packageOf(path))[0]));
  const modules = [...inputs].filter((path) => packageOf(path).startsWith('graphql/'));
  expect(copies('graphql').size).toBe(1);
  expect(copies('zod').size).toBe(1);
  expect(modules.filter((path) => path.endsWith('.mjs'))).toEqual([]);
});

test('is made again when something is younger, and leaves nothing of older ones', async () => {
  const made = async () => (await stat(join(folder, 'built.json'))).mtimeMs;
  const first = await made();
  await build('--if-changed');
  expect(await made()).toBe(first);
  await writeFile(join(folder, 'chunk-OLD.js'), '');
  await utimes(join(folder, 'built.json'), 0, 0);
  await build('--if-changed');
  expect(await made()).toBeGreaterThanOrEqual(first);
  expect(await readdir(folder)).not.toContain('chunk-OLD.js');
});
