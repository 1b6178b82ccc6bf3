import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openToken } from '../src/share/share.token.js';
import { nextRequests } from '../src/upload/upload.service.js';
import { multipart } from './multipart.js';
import { createObjects } from './objects.js';
import { type Called, type Known, type ObjectSet, type Operation, requestsFor, segmentOf, sentToday } from './openapi.requests.js';
import { type Actor, useWorld } from './world.js';

/** How many requests are tried per operation. */
const RUNS = Number(process.env.OPENAPI_RUNS ?? 40);
const world = useWorld({ LOG_LEVEL: 'error' });

interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { examples?: unknown[] }> };
}

let description: Description;
let operations: Called[];
let known: Known;
let admin: Actor;
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });

beforeAll(async () => {
  const { actor, inject } = world();
  description = (await inject(null, { url: '/openapi.json' })).json();
  operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
  );
  ajv.addSchema(description, 'openapi');
  admin = actor('admin');
  const sets = await Promise.all(Array.from({ length: 5 }, () => objectsOf(admin)));
  const doomed = new Map<string, ObjectSet[]>();
  for (const { operationId, method, path } of operations) {
    if (method === 'delete' || path.endsWith('/inactive/')) doomed.set(operationId, [await objectsOf(admin), await objectsOf(admin)]);
  }
  const foreign = await objectsOf(actor('admin'));
  const ids = [...sets, foreign].flatMap(({ storage, category, document, file, share }) =>
    [storage, category, document, file, share].map(({ id }) => id),
  );
  known = { sets, doomed, ids, userId: admin.userId };
});

async function objectsOf(actor: Actor): Promise<ObjectSet> {
  const context = () => world().context(actor);
  const objects = await createObjects(context);
  const [part] = await nextRequests(context(), objects.upload);
  const { pathname, search } = new URL(part?.url ?? '');
  await world().inject(null, { method: 'PUT', url: `${pathname}${search}`, payload: 'bytes' });
  return { ...objects, token: openToken(context(), objects.share) };
}

describe('the description', () => {
  test('is clean for the linter', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'openapi-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    const file = join(dir, 'openapi.json');
    await writeFile(file, JSON.stringify(description));
    const cli = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js');
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const lint = promisify(execFile)(process.execPath, [cli, 'lint', file, '--format=json', '--config', resolve('redocly.yaml')], {
      cwd: dir,
      env,
    });
    const { stdout } = await lint.catch((error: { stdout: string }) => error);
    const { totals, problems } = JSON.parse(stdout);
    expect(
      problems.map(({ ruleId, location }: { ruleId: string; location: { pointer: string }[] }) => `${ruleId} ${location[0]?.pointer}`),
    ).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  });

  test('names, tags and secures every operation, and tells every status it can answer', () => {
    for (const { operationId, summary, tags, security, responses, method } of operations) {
      expect({ operationId, summary, tags, security }, operationId).toEqual({
        operationId: expect.stringMatching(/^[a-z]\w+$/),
        summary: expect.stringMatching(/^[A-Z]/),
        tags: [expect.stringMatching(/^(Storage|Category|Document|Sharing|Upload)$/)],
        security: operationId.startsWith('previewShare') ? [] : [{ bearer: [] }],
      });
      const usual = ['401', '404', '500', '503', ...(method === 'get' ? [] : ['403', '409', '412'])];
      expect(Object.keys(responses), operationId).toEqual(expect.arrayContaining(usual));
    }
  });
});

/** A request as the description shows it, to objects of its own. */
async function shown({ path, method, requestBody }: Called): Promise<InjectOptions & { headers: object }> {
  const of = await objectsOf(admin);
  const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => segmentOf(path, name, of));
  const verb = method.toUpperCase() as 'POST';
  if (!requestBody) return { method: verb, url, headers: {} };
  const json = requestBody.content['application/json'];
  if (!json) return { method: verb, url, ...multipart([{ field: 'files', name: 'a.txt', body: 'bytes' }]) };
  const [example] = Object.values(json.examples ?? {});
  return { method: verb, url, headers: { 'content-type': 'application/json' }, payload: sentToday(example?.value) };
}

test('every body has an example, and every example is a request that succeeds', async () => {
  for (const operation of operations.filter(({ requestBody }) => requestBody)) {
    const answer = await world().inject(admin, await shown(operation));
    expect(answer.statusCode, `${operation.operationId} ${answer.body}`).toBeLessThan(300);
  }
});

test('R: "Every POST honours Idempotency-Key": sent twice, it answers the same twice', async () => {
  for (const operation of operations.filter(({ method }) => method === 'post')) {
    const request = await shown(operation);
    const send = async () => {
      const { statusCode, headers, body } = await world().inject(admin, {
        ...request,
        headers: { ...request.headers, 'idempotency-key': 'k' },
      });
      return { statusCode, etag: headers.etag, body };
    };
    const [first, second] = [await send(), await send()];
    expect(first.statusCode, `${operation.operationId} ${first.body}`).toBeLessThan(300);
    expect(second, operation.operationId).toEqual(first);
  }
});

test('every answer with JSON has an example that fits its schema', () => {
  const shapes = Object.entries(description.components.schemas);
  for (const [name, { examples: [example] = [] }] of shapes) {
    const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
    expect(validate(example), `${name} ${ajv.errorsText(validate.errors)}`).toBe(true);
  }
  for (const { operationId, responses } of operations) {
    for (const [status, { content }] of Object.entries(responses)) {
      const shown = JSON.stringify(content?.['application/json'] ?? '#/components/schemas/');
      expect(shown, `${operationId} ${status}`).toContain('#/components/schemas/');
    }
  }
});

const validators = new Map<string, ValidateFunction>();
function validatorOf({ path, method }: Called, status: number): ValidateFunction {
  const pointer = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
  const ref = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = validators.get(ref) ?? ajv.compile({ $ref: ref });
  validators.set(ref, validate);
  return validate;
}

test('every operation answers what it declares, whatever it is asked', { timeout: 120_000 + RUNS * 5_000 }, async () => {
  const seen = new Map<string, Set<number>>();
  for (const operation of operations) {
    const statuses = new Set<number>();
    seen.set(operation.operationId, statuses);
    await fc.assert(
      fc.asyncProperty(requestsFor(operation, known), async (request) => {
        const answer = await world().inject(admin, request);
        statuses.add(answer.statusCode);
        const told = `${operation.operationId} ${answer.statusCode} ${answer.body.slice(0, 300)}`;
        expect(answer.statusCode, told).toBeLessThan(500);
        expect(Object.keys(operation.responses), told).toContain(String(answer.statusCode));
        if (answer.statusCode === 204) {
          expect(answer.body).toBe('');
          return;
        }
        const declared = Object.keys(operation.responses[answer.statusCode]?.content ?? {});
        const [type = ''] = String(answer.headers['content-type']).split(';');
        if (type !== 'application/json' && answer.statusCode < 400) {
          expect(declared, told).toEqual(expect.arrayContaining([type === 'application/zip' ? type : '*/*']));
          return;
        }
        expect(type, told).toBe('application/json');
        const validate = validatorOf(operation, answer.statusCode);
        expect(validate(answer.json()), `${told} ${ajv.errorsText(validate.errors)}`).toBe(true);
      }),
      { numRuns: RUNS, seed: 1, endOnFailure: true },
    );
  }
  // Neither would be tested if the other were all there is.
  const without = (wanted: (status: number) => boolean) =>
    [...seen].filter(([, statuses]) => ![...statuses].some(wanted)).map(([id]) => id);
  expect({ neverServed: without((status) => status < 300), neverRefused: without((status) => status === 400 || status === 404) }).toEqual({
    neverServed: [],
    neverRefused: [],
  });
  expect(world().logs).toEqual([]);
});

test('every part of a path may be what no id can be, one at a time, and every body may be missing', async () => {
  const [of] = known.sets;
  if (!of) throw new Error('nothing is known');
  for (const { operationId, path, method, requestBody } of operations) {
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const pathWith = (odd: string, value = '') =>
      path.replace(/\{(\w+)\}/g, (_, name: string) => (name === odd ? value : segmentOf(path, name, of)));
    const urls = parts.flatMap((part) => ['%00', '%F0%9F%92%A5', 'constructor', 'x'.repeat(500)].map((value) => pathWith(part, value)));
    if (requestBody) urls.push(pathWith(''));
    for (const url of urls) {
      const answer = await world().inject(admin, { method: method.toUpperCase() as 'GET', url });
      const told = `${operationId} ${url} ${answer.statusCode} ${answer.body.slice(0, 300)}`;
      expect(answer.statusCode, told).toBeLessThan(500);
      // A PATCH of nothing changes nothing.
      expect(answer.statusCode, told).toBeGreaterThanOrEqual(method === 'patch' ? 200 : 400);
    }
  }
  expect(world().logs).toEqual([]);
});
