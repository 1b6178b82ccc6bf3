import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createObjects, type Objects } from './objects.js';
import { type Actor, useWorld } from './world.js';

/** How many requests are tried per operation. */
const RUNS = Number(process.env.OPENAPI_RUNS ?? 40);
const world = useWorld({ LOG_LEVEL: 'error' });

interface Schema {
  type?: string;
  enum?: unknown[];
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  items?: Schema;
  default?: unknown;
}
interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  schema: Schema;
}
interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, object> }>;
}
interface Called extends Operation {
  path: string;
  method: string;
}
interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: object };
}

let description: Description;
let operations: Called[];
let ids: string[];
/** What the parameters of a path can name together: a document with a file and a share of its own, a storage, a category. */
let sets: Objects[];
let admin: Actor;
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });

beforeAll(async () => {
  const { actor, context, inject } = world();
  description = (await inject(null, { url: '/openapi.json' })).json();
  operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
  );
  ajv.addSchema(description, 'openapi');
  admin = actor('admin');
  const own = await Promise.all(Array.from({ length: 12 }, () => createObjects(() => context(admin))));
  sets = own;
  const stranger = actor('admin');
  const foreign = await createObjects(() => context(stranger));
  ids = [...own, foreign].flatMap(({ storage, category, document, file, share }) => [
    storage.id,
    category.id,
    document.id,
    file.id,
    share.id,
  ]);
});

describe('the description', () => {
  test('is clean for the linter', { timeout: 120_000 }, async () => {
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

const hostile = fc.oneof(
  fc.constantFrom<unknown[]>(
    null,
    '',
    ' ',
    0,
    -1,
    1.5,
    1e308,
    true,
    [],
    {},
    [null],
    'a\0b',
    '\ud800',
    '😀',
    'x'.repeat(2000),
    '2026-13-45',
  ),
  fc.constantFrom<unknown[]>('9999999-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '-', '../..', "';--", '__proto__', { constructor: 1 }, [
    [[]],
  ]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Mostly what the schema asks for, and often enough something else. */
function valueLike(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: validLike(schema) }, { weight: 1, arbitrary: hostile });
}

function validLike({ type, enum: values, anyOf, items, properties, required = [], format }: Schema): fc.Arbitrary<unknown> {
  if (values) return fc.constantFrom(...values);
  if (anyOf) return fc.oneof(...anyOf.map(validLike));
  if (type === 'object' && properties) {
    const fields = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, valueLike(schema)]));
    return fc.record(fields, { requiredKeys: required });
  }
  if (type === 'array') return fc.array(validLike(items ?? {}), { maxLength: 3 });
  if (type === 'boolean') return fc.boolean();
  if (type === 'number' || type === 'integer') return fc.integer({ min: 1, max: 200 });
  if (type === 'null') return fc.constant(null);
  if (type === 'object') return fc.constantFrom({}, { a: 1 });
  if (format === 'date-time') return fc.constantFrom('2025-08-01T05:38:35+00:00', new Date(Date.now() + 86_400_000).toISOString());
  return fc.oneof(
    fc.constantFrom('KYC', 'bucket-1', 'true', '2026-01-01', new Date(Date.now() + 86_400_000).toISOString()),
    fc.constantFrom(...ids),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
  );
}

/** A request for an operation: its path, its query, its body. */
function requestFor({ path, method, parameters = [], requestBody }: Called) {
  const ofPath = parameters.filter((parameter) => parameter.in === 'path');
  const ofQuery = parameters.filter((parameter) => parameter.in === 'query');
  const kind = path.startsWith('/storages') ? 'storage' : path.startsWith('/categories') ? 'category' : 'document';
  const named = ({ name }: Parameter, of: Objects) => (name === 'share' ? of.share : name.startsWith('file') ? of.file : of[kind]).id;
  const known = fc.constantFrom(...sets).map((of) => ofPath.map((parameter) => named(parameter, of)));
  const anything = fc.constantFrom(...ids, 'nonsense', '%00', '%F0%9F%98%80', '01ARZ3NDEKTSV4RRFFQ69G5FAV');
  const segments = fc.oneof({ weight: 2, arbitrary: known }, { weight: 1, arbitrary: fc.tuple(...ofPath.map(() => anything)) });
  const body = requestBody?.content['application/json']?.schema;
  return fc
    .record({
      segments,
      query: fc.record(Object.fromEntries(ofQuery.map(({ name, schema }) => [name, valueLike(schema)])), { requiredKeys: [] }),
      payload: body ? fc.oneof({ weight: 9, arbitrary: validLike(body) }, { weight: 1, arbitrary: hostile }) : fc.constant(undefined),
    })
    .map(({ segments, query, payload }) => {
      const filled = ofPath.reduce((text, { name }, index) => text.replace(`{${name}}`, segments[index] ?? ''), path);
      const pairs = Object.entries(query).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value),
      ]);
      return {
        method: method.toUpperCase() as 'GET',
        url: `${filled}?${new URLSearchParams(pairs)}`,
        ...(payload !== undefined && { headers: { 'content-type': 'application/json' }, payload: JSON.stringify(payload) }),
      };
    });
}

const validators = new Map<string, ValidateFunction>();
function validatorOf({ path, method }: Called, status: number): ValidateFunction {
  const pointer = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
  const ref = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = validators.get(ref) ?? ajv.compile({ $ref: ref });
  validators.set(ref, validate);
  return validate;
}

test('every operation answers what it declares, whatever it is asked', { timeout: 60_000 + RUNS * 5_000 }, async () => {
  const seen = new Map<string, Set<number>>();
  for (const operation of operations) {
    const statuses = new Set<number>();
    seen.set(operation.operationId, statuses);
    await fc.assert(
      fc.asyncProperty(requestFor(operation), async (request) => {
        const answer = await world().inject(admin, request);
        statuses.add(answer.statusCode);
        const told = `${operation.operationId} ${answer.statusCode} ${answer.body.slice(0, 300)}`;
        expect(answer.statusCode, told).toBeLessThan(500);
        expect(Object.keys(operation.responses), told).toContain(String(answer.statusCode));
        if (answer.statusCode === 204) {
          expect(answer.body).toBe('');
          return;
        }
        if (answer.statusCode < 400 && !operation.responses[answer.statusCode]?.content?.['application/json']) return;
        expect(answer.headers['content-type'], told).toMatch(/^application\/json/);
        const validate = validatorOf(operation, answer.statusCode);
        expect(validate(answer.json()), `${told} ${ajv.errorsText(validate.errors)}`).toBe(true);
      }),
      { numRuns: RUNS, seed: 1, endOnFailure: true },
    );
  }
  // Neither half would be tested if the other were all there is.
  const refused = [...seen.values()].filter((statuses) => [...statuses].some((status) => status >= 400)).length;
  const served = [...seen.values()].filter((statuses) => [...statuses].some((status) => status < 300)).length;
  expect(refused).toBeGreaterThan(operations.length * 0.8);
  expect(served).toBeGreaterThan(operations.length * 0.3);
  expect(world().logs).toEqual([]);
});
