import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTrustedDocuments } from '../src/graphql/trusted.js';
import { multipart } from './multipart.js';
import { type Actor, useWorld } from './world.js';

const manifest = join(import.meta.dirname, 'generated/persisted-documents.json');
const trusted = (beginning: string) =>
  [...readTrustedDocuments(manifest).byHash].find(([, text]) => text.startsWith(beginning)) ?? ['', ''];
const [hash, query] = trusted('mutation CreateCategory(');
const [listHash, list] = trusted('query Documents(');
const variables = { input: { name: 'KYC' } };
const other = 'query { documents { totalCount } }';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const apollo = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });

type Params = { query?: string; documentId?: string; extensions?: object; variables?: object };

/** Every way in. GET refuses mutations with 405, once it knows what they are. */
const ways = {
  'POST, the short way': (params: Params) => ({ method: 'POST', url: '/graphql', payload: params }) as const,
  'POST, through Yoga': (params: Params) =>
    ({ method: 'POST', url: '/graphql', payload: params, headers: { accept: 'application/json;q=0.9, */*;q=0.1' } }) as const,
  multipart: (params: Params) => {
    const { headers, payload } = multipart([
      { field: 'operations', body: JSON.stringify(params) },
      { field: 'map', body: '{}' },
    ]);
    return { method: 'POST', url: '/graphql', headers: { ...headers, 'apollo-require-preflight': 'true' }, payload } as const;
  },
};

function get(params: Params) {
  const texts = Object.entries(params).map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { method: 'GET', url: `/graphql?${new URLSearchParams(texts)}`, headers: { accept: 'application/json' } } as const;
}

describe.each(Object.entries(ways))('with a manifest, by %s', (_, send) => {
  const world = useWorld({ TRUSTED_DOCUMENTS: manifest });
  let admin: Actor;
  beforeAll(() => {
    admin = world().actor('admin');
  });

  test.each<[string, Params]>([
    ['its digest as documentId', { documentId: `sha256:${hash}` }],
    ['the digits alone', { documentId: hash }],
    ["its digest in Apollo's way", apollo(hash)],
    ['its text', { query }],
    ['both', { query, ...apollo(hash) }],
  ])('an operation of it is answered: %s', async (_name, params) => {
    const answer = await world().inject(admin, send({ ...params, variables }));
    expect(answer.json()).toMatchObject({ data: { createCategory: { name: 'KYC' } } });
  });

  test.each<[string, Params, string, number]>([
    ['another text', { query: other }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['the text with a space more', { query: `${query} ` }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['introspection', { query: '{ __schema { types { name } } }' }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['what is no operation', { query: '{' }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['nothing', {}, 'DOCUMENT_NOT_TRUSTED', 403],
    ['an unknown digest', { documentId: sha256(other) }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['an unknown digest with its text', { query: other, ...apollo(sha256(other)) }, 'DOCUMENT_NOT_TRUSTED', 403],
    ['a digest with another text', { query: other, ...apollo(hash) }, 'BAD_REQUEST', 400],
    ['two digests', { documentId: hash, ...apollo(hash) }, 'BAD_REQUEST', 400],
  ])('anything else is refused: %s', async (_name, params, code, status) => {
    const answer = await world().inject(admin, send({ ...params, variables }));
    expect(answer.json()).toMatchObject({ errors: [{ extensions: { code } }] });
    expect(answer.json().data ?? null).toBeNull();
    expect(answer.statusCode).toBe(status);
  });
});

describe('with a manifest of queries, by GET', () => {
  const folder = mkdtemp(join(tmpdir(), 'docgate-manifest-'));
  afterAll(async () => rm(await folder, { recursive: true }));
  test('its operations are answered and no others', async () => {
    const path = join(await folder, 'manifest.json');
    await writeFile(path, JSON.stringify({ [`sha256:${sha256(other)}`]: other }));
    expect(readTrustedDocuments(path).texts).toEqual(new Set([other]));
    await writeFile(path, JSON.stringify({ [sha256(other)]: `${other} ` }));
    expect(() => readTrustedDocuments(path)).toThrow(/TRUSTED_DOCUMENTS.*not the SHA-256/s);
    await writeFile(path, '[');
    expect(() => readTrustedDocuments(path)).toThrow(/TRUSTED_DOCUMENTS.*no manifest/s);
  });

  const world = useWorld({ TRUSTED_DOCUMENTS: manifest });
  test.each<[string, Params]>([
    ['its digest as documentId', { documentId: listHash }],
    ["its digest in Apollo's way", apollo(listHash)],
    ['its text', { query: list }],
  ])('a query of it is answered: %s', async (_name, params) => {
    const answer = await world().inject(world().actor('admin'), get(params));
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ data: { documents: { nodes: [] } } });
  });

  test.each<[string, Params, number]>([
    ['a mutation of it, which GET must not run', { documentId: hash }, 405],
    ["the same in Apollo's way", apollo(hash), 405],
    ['another text', { query: other }, 403],
    ['an unknown digest', { documentId: sha256(other) }, 403],
  ])('%s', async (_name, params, status) => {
    const admin = world().actor('admin');
    expect((await world().inject(admin, get({ ...params, variables }))).statusCode).toBe(status);
  });
});

describe.each(Object.entries({ ...ways, GET: get }))('without a manifest, by %s', (_, send) => {
  const world = useWorld();

  test('a digest alone is not known, so that a client sends the text', async () => {
    const admin = world().actor('admin');
    const unknown = await world().inject(admin, send(apollo(sha256(other))));
    expect(unknown.json()).toMatchObject({
      errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
    });
    const known = await world().inject(admin, send({ query: other, ...apollo(sha256(other)) }));
    expect(known.json()).toEqual({ data: { documents: { totalCount: 0 } } });
    const wrong = await world().inject(admin, send({ query: other, ...apollo(sha256('another')) }));
    expect(wrong.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });
});
