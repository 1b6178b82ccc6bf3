import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { unzip } from './unzip.js';
import { useWorld } from './world.js';

const world = useWorld();
let address: string;

beforeAll(async () => {
  address = await world().app.listen({ port: 0, host: '127.0.0.1' });
});

const program = (name: string) => resolve(import.meta.dirname, 'client', name);

/** The types that a client's developer makes from the description: bytes are blobs. */
async function generatedTypes(): Promise<string> {
  const description = await (await fetch(`${address}/openapi.json`)).text();
  const blob = ts.factory.createTypeReferenceNode('Blob');
  return astToString(await openapiTS(description, { transform: ({ format }) => (format === 'binary' ? blob : undefined) }));
}

/** What the compiler says about programs that are written against these types. */
async function complaints(types: string, ...programs: string[]): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'client-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, 'openapi.ts');
  await writeFile(file, types);
  const checked = ts.createProgram(programs, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
    paths: { 'docgate-openapi': [file] },
  });
  return ts
    .getPreEmitDiagnostics(checked)
    .map(
      ({ file, start = 0, messageText }) => `${file?.text.slice(start, start + 60)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
}

describe('a client that is generated from /openapi.json', () => {
  test('type-checks, and mistakes in it do not', async () => {
    expect(await complaints(await generatedTypes(), program('main-job.ts'), program('mistakes.ts'))).toEqual([]);
  });

  test('files, reviews, shares, opens and downloads', async () => {
    const { token } = world().actor('admin');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program('main-job.ts'), address, token]);
    const { zip, ...got } = JSON.parse(stdout);
    const scans = ['%PDF-1.4 front', '%PDF-1.4 back'];
    expect(got).toEqual({
      status: 'approved',
      uploaded: [
        { name: 'front.pdf', size: 14, content_type: 'application/pdf' },
        { name: 'back.pdf', size: 13, content_type: 'application/pdf' },
      ],
      preview: 'Passport',
      downloads: scans,
      shared: scans,
      found: { count: 1, same: true },
      stranger: { status: 401, detail: 'Authentication credentials were not provided.' },
    });
    expect(unzip(Buffer.from(zip, 'base64')).map(({ name, body }) => [name, String(body)])).toEqual([
      ['front.pdf', scans[0]],
      ['back.pdf', scans[1]],
    ]);
  });
});
