import { createHash } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createScanner, type ScanPolicy } from '../src/scan/scanner.js';
import { answering, fakeClamd } from './clamd.js';
import { graphqlUpload, multipart } from './multipart.js';
import { type Actor, useWorld } from './world.js';

// One policy, every door: the same file gets the same verdict, whichever way it comes.

const MAX = 1000;
const world = useWorld({ MAX_FILE_SIZE: String(MAX) });
const pdf = Buffer.from('%PDF-1.4\nthe bytes of a passport\n%%EOF');
const page = Buffer.from('<!doctype html><script>alert(1)</script>');
const nowhere = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

let editor: Actor;
let documentId: string;

beforeEach(async () => {
  editor = world().actor('admin');
  documentId = (await graphql(editor, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }')).createDocument.id;
});
afterEach(() => {
  world().gateway.services.scanner = null;
});

/** A file, who sends it and whereto. */
interface Sent {
  body?: Buffer;
  name?: string;
  type?: string;
  actor?: Actor | null;
  to?: string;
}
interface Announced extends Required<Omit<Sent, 'actor'>> {
  actor: Actor | null;
}
/** The media type of what was stored, or the code of the error. */
type Verdict = string;

async function graphql(actor: Actor | null, query: string, variables?: object) {
  const { data, errors } = await world().graphql(actor, query, variables);
  return errors ? { refused: errors[0]?.extensions.code } : data;
}

/** Over REST, with errors that have their code. */
async function rest(actor: Actor | null, options: InjectOptions) {
  const accept = 'application/problem+json, application/json';
  const { statusCode, body, headers } = await world().inject(actor, { ...options, headers: { ...options.headers, accept } });
  const found = body ? JSON.parse(body) : {};
  return { refused: statusCode >= 400 ? (found.code as string) : null, found, headers };
}

const parts = { requests: '{ requests { offset size url } }' };
const sendParts = async (requests: { offset: number; size: number; url: string }[], body: Buffer) => {
  for (const { offset, size, url } of requests) {
    const { pathname, search } = new URL(url);
    await world().inject(null, { method: 'PUT', url: pathname + search, payload: body.subarray(offset, offset + size) });
  }
};

const typeOf = async (actor: Actor | null, fileId: string): Promise<Verdict> =>
  (await graphql(actor, `{ node(id: "${fileId}") { ... on File { contentType } } }`)).node.contentType;

const encoded = (text: string) => Buffer.from(text).toString('base64');

const doors: Record<string, (file: Announced) => Promise<Verdict>> = {
  async 'GraphQL multipart'({ body, name, type, actor, to }) {
    const mutation = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
      ... on Error { code } ... on UploadedFiles { files { contentType } } } }`;
    const { data, errors } = (await world().inject(actor, graphqlUpload(mutation, { id: to }, [{ name, body, type }]))).json();
    return errors?.[0].extensions.code ?? data.uploadFiles.code ?? data.uploadFiles.files[0].contentType;
  },
  async 'REST multipart'({ body, name, type, actor, to }) {
    const form = multipart([{ field: 'files', body, name, type }]);
    const { refused, found } = await rest(actor, { method: 'POST', url: `/documents/${to}/files/`, ...form });
    return refused ?? found[0].content_type;
  },
  async 'GraphQL in parts'({ body, name, type, actor, to }) {
    const creation = `mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
      ... on Error { code } ... on StagedUpload { id ...Parts } } } fragment Parts on StagedUpload ${parts.requests}`;
    const input = {
      documentId: to,
      name,
      size: body.length,
      contentType: type,
      partSize: body.length > 20 && body.length <= MAX ? 20 : null,
    };
    const created = await graphql(actor, creation, { input });
    const { id, code, requests } = created.createUpload ?? { code: created.refused };
    if (code) return code;
    await sendParts(requests, body);
    const completion = `mutation { completeUpload(input: { uploadId: "${id}" }) { ... on Error { code } ... on File { contentType } } }`;
    const done = await graphql(actor, completion);
    return done.refused ?? done.completeUpload.code ?? done.completeUpload.contentType;
  },
  async 'REST in parts'({ body, name, type, actor, to }) {
    const sha256 = createHash('sha256').update(body).digest('hex');
    const payload = { name, size: body.length, content_type: type, sha256 };
    const created = await rest(actor, { method: 'POST', url: `/documents/${to}/uploads/`, payload });
    if (created.refused) return created.refused;
    await sendParts(created.found.requests, body);
    const { refused, found } = await rest(actor, { method: 'POST', url: `/uploads/${created.found.id}/complete/` });
    return refused ?? found.content_type;
  },
  async tus({ body, name, type, actor, to }) {
    const metadata = `document ${encoded(to)},filename ${encoded(name)},filetype ${encoded(type)}`;
    const version = { 'tus-resumable': '1.0.0' };
    const announced = { ...version, 'upload-length': String(body.length), 'upload-metadata': metadata };
    const created = await rest(actor, { method: 'POST', url: '/uploads/', headers: announced });
    if (created.refused) return created.refused;
    const { pathname } = new URL(String(created.headers.location));
    const bytes = { ...version, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    const sent = await rest(actor, { method: 'PATCH', url: pathname, headers: bytes, payload: body });
    if (sent.refused) return sent.refused;
    return typeOf(actor, (await rest(actor, { url: pathname })).found.file);
  },
};

/** Makes a document of its own: there is no other that it could go to. */
const creating: typeof doors = {
  async 'REST multipart with a new document'({ body, name, type, actor }) {
    const form = multipart([
      { field: 'name', body: 'D' },
      { field: 'files', body, name, type },
    ]);
    const { refused, found } = await rest(actor, { method: 'POST', url: '/documents/', ...form });
    return refused ?? found.files[0].content_type;
  },
};

const scanning = async (answer: string, policy: ScanPolicy) => {
  const address = await fakeClamd(answering(answer));
  world().gateway.services.scanner = createScanner({ address, policy, timeout: 5000 }, () => {});
};

interface Case {
  of: string;
  file?: () => Sent;
  before?: () => Promise<unknown>;
  verdict: Verdict;
  /** What becomes of rows, if not READY for a type and none for an error. */
  rows?: string[];
}

const ofFiles: Case[] = [
  { of: 'a PDF', verdict: 'application/pdf' },
  { of: 'a PDF that is called a picture', file: () => ({ type: 'image/png', name: 'a.png' }), verdict: 'application/pdf' },
  { of: 'a page with a script that is called a PDF', file: () => ({ body: page }), verdict: 'text/html' },
  { of: 'a table', file: () => ({ body: Buffer.from('a,b\n1,2\n'), type: 'text/csv', name: 'a.csv' }), verdict: 'text/csv' },
  { of: 'bytes without a type', file: () => ({ body: Buffer.alloc(50, 1) }), verdict: 'application/octet-stream' },
  { of: 'a file of exactly the largest size', file: () => ({ body: Buffer.alloc(MAX) }), verdict: 'application/octet-stream' },
  { of: 'one byte more', file: () => ({ body: Buffer.alloc(MAX + 1) }), verdict: 'PAYLOAD_TOO_LARGE' },
  { of: 'a name of blanks', file: () => ({ name: ' ' }), verdict: 'VALIDATION_FAILED' },
  { of: 'a name of 256 characters', file: () => ({ name: 'x'.repeat(256) }), verdict: 'VALIDATION_FAILED' },
  {
    of: 'a scope that does not suffice',
    file: () => ({ actor: world().actor(['documents:read'], editor.tenantId) }),
    verdict: 'FORBIDDEN',
  },
  {
    of: 'an infected file',
    before: () => scanning('stream: Eicar-Test FOUND', 'fail-closed'),
    verdict: 'FILE_INFECTED',
    rows: ['QUARANTINED'],
  },
  {
    of: 'a file that no scanner vouches for',
    before: () => scanning('INSTREAM size limit exceeded. ERROR', 'fail-closed'),
    verdict: 'UNAVAILABLE',
  },
  {
    of: 'the same with fail-open',
    before: () => scanning('INSTREAM size limit exceeded. ERROR', 'fail-open'),
    verdict: 'application/pdf',
  },
];

const ofDocuments: Case[] = [
  { of: 'a document that is not there', file: () => ({ to: nowhere }), verdict: 'NOT_FOUND' },
  { of: "another tenant's document", file: () => ({ actor: world().actor('admin') }), verdict: 'NOT_FOUND' },
  {
    of: 'an inactive document',
    before: () => graphql(editor, `mutation { inactivate(input: { id: "${documentId}" }) { __typename } }`),
    verdict: 'CONFLICT',
  },
  {
    of: 'a rejected document',
    before: () => graphql(editor, `mutation { reject(input: { id: "${documentId}", reason: "x" }) { __typename } }`),
    verdict: 'application/pdf',
  },
];

async function judge(door: (file: Announced) => Promise<Verdict>, { file, before, verdict, rows }: Case) {
  await before?.();
  expect(await door({ body: pdf, name: 'a.pdf', type: 'application/pdf', actor: editor, to: documentId, ...file?.() })).toBe(verdict);
  const { pool } = world().gateway.database;
  const states = await pool.query('SELECT state FROM files WHERE tenant_id = $1', [editor.tenantId]);
  expect(states.rows.map(({ state }) => state)).toEqual(rows ?? (verdict.includes('/') ? ['READY'] : []));
}

describe.each(Object.entries(doors))('over %s', (_, door) => {
  test.each([...ofFiles, ...ofDocuments])('$of: $verdict', (given) => judge(door, given));
});

describe.each(Object.entries(creating))('over %s', (_, door) => {
  // There is no document yet whose evidence an infected file could be: it is refused alike, and not kept.
  test.each(ofFiles)('$of: $verdict', (given) => judge(door, given.rows ? { ...given, rows: [] } : given));
});
