import { createHash } from 'node:crypto';
import type { HttpRequest } from './client.js';
import { type Case, once } from './measure.js';
import type { Options } from './options.js';
import type { Target } from './targets.js';
import { documentId } from './workloads.js';

const KIB = 1024;
const TEN_MIB = 10 * KIB * KIB;
/** The bytes' own workloads are bound by memory and disk, not by the number of clients. */
const FEW = 8;

const uploadQuery = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
  ... on UploadedFiles { files { id size sha256 } } ... on Error { message } } }`;

/** W6 and W7: downloads and uploads. Stores what is to be downloaded first. */
export async function byteCases(docgate: Target, token: string, { connections, smoke }: Options): Promise<Case[]> {
  const authorization = `Bearer ${token}`;
  const large = smoke ? 256 * KIB : TEN_MIB;
  const download = async (name: string, size: number, concurrency: number): Promise<Case> => {
    const id = await store(docgate, authorization, size);
    return {
      name,
      connections: concurrency,
      writes: false,
      requests: () => [{ method: 'GET', path: `/files/${id}`, headers: { authorization } }],
      essence: (body) => createHash('sha256').update(body).digest('hex'),
    };
  };
  // Of the second tenant's numbering none: each upload locks its document, so they go to many.
  const uploads = Array.from({ length: FEW }, (_, index) => upload(authorization, documentId(40 + index * 2), large));
  return [
    await download('W6 1 KiB', KIB, connections),
    await download('W6 10 MiB', large, FEW),
    {
      name: 'W7 10 MiB',
      connections: FEW,
      writes: true,
      requests: () => uploads,
      essence: (body) => ({ ...storedFile(body), id: undefined }),
    },
  ];
}

async function store(docgate: Target, authorization: string, size: number): Promise<string> {
  return storedFile(await once(docgate, [upload(authorization, documentId(20), size)])).id;
}

function storedFile(body: Buffer): { id: string; size: number; sha256: string } {
  const answer = JSON.parse(body.toString()) as { data: { uploadFiles: { files?: [{ id: string; size: number; sha256: string }] } } };
  const [file] = answer.data.uploadFiles.files ?? [];
  if (!file) throw new Error(`the upload was refused: ${body.toString()}`);
  return file;
}

function upload(authorization: string, id: string, size: number): HttpRequest {
  const boundary = 'the-boundary-of-the-benchmark';
  const part = (head: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(`${part('name="operations"')}${JSON.stringify({ query: uploadQuery, variables: { id, files: [null] } })}\r\n`),
    Buffer.from(`${part('name="map"')}{"0":["variables.files.0"]}\r\n`),
    Buffer.from(part('name="0"; filename="scan.pdf"\r\nContent-Type: application/pdf')),
    Buffer.from('%PDF-1.4\n'),
    Buffer.alloc(size - 9, 'the bytes of a passport, '),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const type = `multipart/form-data; boundary=${boundary}`;
  return { method: 'POST', path: '/graphql', headers: { authorization, 'content-type': type, 'apollo-require-preflight': 'true' }, body };
}
