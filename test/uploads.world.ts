import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { sweepUploads } from '../src/upload/upload.sweeper.js';
import { type Actor, useWorld } from './world.js';

export const MAX = 1000;
export const HOUR = 60 * 60 * 1000;
export const bytes = Buffer.from(`%PDF-1.4\n${'the bytes of a passport '.repeat(10)}%%EOF`);
export const sha256 = createHash('sha256').update(bytes).digest('hex');
export const requestFields = 'number offset size method url headers { name value } expiresAt';
export const creation = `mutation ($input: CreateUploadInput!) { createUpload(input: $input) { __typename
  ... on Error { code message } ... on StagedUpload { id size partSize partCount state parts { number size } requests { ${requestFields} } } } }`;
export const completion = `mutation ($input: CompleteUploadInput!) { completeUpload(input: $input) { __typename
  ... on Error { code message } ... on File { id name size sha256 contentType state document { status } } } }`;

export interface Announced {
  documentId?: string;
  name?: string;
  size?: number;
  sha256?: string;
  contentType?: string;
  partSize?: number;
}

export interface Request {
  number: number;
  offset: number;
  size: number;
  url: string;
}

/** Sends one part as its request says; whatever is not given is as it should be. */
export const nothing = { files: [], uploads: [], blobs: 0 };

/** An editor with a document of their own for each test. */
export function useUploads() {
  const world = useWorld({ MAX_FILE_SIZE: String(MAX) });

  let editor: Actor;
  let documentId: string;

  beforeEach(async () => {
    editor = world().actor('admin');
    documentId = await newDocument(editor);
  });
  afterEach(() => {
    const { services } = world().gateway;
    services.scanner = null;
    services.now = () => new Date();
    services.limits.maxOpenUploads = 100;
  });

  async function newDocument(actor: Actor): Promise<string> {
    const { data } = await world().graphql(actor, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
    return data.createDocument.id;
  }

  const create = async (input: Announced = {}, actor = editor) => {
    const answer = await world().graphql(actor, creation, { input: { documentId, name: 'a.pdf', size: bytes.length, ...input } });
    return answer.data?.createUpload ?? answer.errors?.[0]?.extensions;
  };
  const complete = async (uploadId: string, actor = editor, expectedVersion?: number) => {
    const answer = await world().graphql(actor, completion, { input: { uploadId, expectedVersion } });
    return answer.data?.completeUpload ?? answer.errors?.[0]?.extensions;
  };

  const send = (
    { url, offset, size }: Request,
    body: Buffer = bytes.subarray(offset, offset + size),
    headers: Record<string, string> = {},
  ) => {
    const { pathname, search } = new URL(url);
    return world().inject(null, {
      method: 'PUT',
      url: pathname + search,
      payload: body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  };

  /** The whole flow. Answers the file or the error. */
  async function stage(input: Announced, body: Buffer, actor = editor) {
    const upload = await create({ size: body.length, ...input }, actor);
    if (upload.__typename !== 'StagedUpload') return upload;
    for (const request of upload.requests) await send(request, body.subarray(request.offset, request.offset + request.size));
    return complete(upload.id, actor);
  }

  /** Every row of the tenant's that is about files, and every file in its folders, parts and drafts included. */
  async function left() {
    const { pool } = world().gateway.database;
    const rowsOf = async (table: string) =>
      (await pool.query(`SELECT state FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [editor.tenantId])).rows.map(({ state }) => state);
    const folder = join(world().gateway.settings.dataDir, 'blobs', editor.tenantId);
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    return { files: await rowsOf('files'), uploads: await rowsOf('staged_uploads'), blobs: found.filter((entry) => entry.isFile()).length };
  }
  /** Some time passes, then the sweeper comes. */
  async function sweepAfter(ms: number) {
    const now = world().gateway.services.now().getTime() + ms;
    world().gateway.services.now = () => new Date(now);
    await sweepUploads(world().context(null));
    await sweepFiles(world().context(null));
  }

  return { world, newDocument, create, complete, send, stage, left, sweepAfter, editor: () => editor, documentId: () => documentId };
}
