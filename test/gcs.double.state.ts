import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CRC32C } from '@google-cloud/storage';

/** What the double of Google Cloud Storage (gcs.double.ts) holds, and how it answers. */
export interface GcsState {
  /** Begins the address of each upload: "127.0.0.1:41234". */
  host: string;
  buckets: Map<string, { resource: BucketResource; objects: Map<string, Stored> }>;
  /** Rights that the account has not. */
  denied: Set<string>;
  newFile(): string;
  /** @throws Refusal 403 */
  allow(right: string): void;
  /** @throws Refusal 404 */
  bucketOf(name: string): { resource: BucketResource; objects: Map<string, Stored> };
  /** @throws Refusal 404, also where the generation is not the one that is wanted */
  found(bucket: string, key: string, wanted?: string | null): Stored;
  /** @throws Refusal 412 where the generation is not that of the condition; 0: there must be none */
  requireFree(bucket: string, key: string, condition: string | null): void;
  /** Makes an object of a file. @param sum CRC32C of the file, where it is known already */
  store(bucket: string, key: string, file: string, about: About, condition: string | null, sum?: string): Promise<Stored>;
}

export type BucketResource = Record<string, unknown>;

export interface Stored {
  file: string;
  size: number;
  crc32c: string;
  generation: number;
  contentType: string;
  metadata: Record<string, string>;
  updated: string;
}

/** What an upload says of its object. */
export interface About {
  contentType?: string;
  metadata?: Record<string, string>;
  crc32c?: string;
}

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
}

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** @param email of the account */
export function createGcsState(folder: string, email: string): GcsState {
  let generation = 1_700_000_000_000_000;
  const state: GcsState = {
    host: '',
    buckets: new Map(),
    denied: new Set(),
    newFile: () => join(folder, randomUUID()),
    allow(right) {
      if (state.denied.has(right)) throw new Refusal(403, `${email} does not have ${right} access to the Google Cloud Storage object.`);
    },
    bucketOf(name) {
      const bucket = state.buckets.get(name);
      if (!bucket) throw new Refusal(404, 'The specified bucket does not exist.');
      return bucket;
    },
    found(bucket, key, wanted) {
      const object = state.bucketOf(bucket).objects.get(key);
      if (!object || (wanted != null && Number(wanted) !== object.generation)) throw new Refusal(404, `No such object: ${bucket}/${key}`);
      return object;
    },
    requireFree(bucket, key, condition) {
      const current = state.bucketOf(bucket).objects.get(key)?.generation ?? 0;
      if (condition !== null && Number(condition) !== current)
        throw new Refusal(412, 'At least one of the pre-conditions you specified did not hold.');
    },
    async store(bucket, key, file, about, condition, sum) {
      const { size } = await stat(file);
      const crc32c = sum ?? (await sumOf(file));
      if (about.crc32c !== undefined && about.crc32c !== crc32c) throw new Refusal(400, 'Provided CRC32C does not match.');
      state.requireFree(bucket, key, condition);
      generation += 1;
      const { contentType = 'application/octet-stream', metadata = {} } = about;
      const made = { file, size, crc32c, generation, contentType, metadata, updated: new Date().toISOString() };
      state.bucketOf(bucket).objects.set(key, made);
      return made;
    },
  };
  return state;
}

async function sumOf(file: string): Promise<string> {
  const sum = new CRC32C();
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 ** 2 })) sum.update(chunk);
  return sum.toString();
}

export const jsonOf = async (request: IncomingMessage) => JSON.parse((await buffer(request)).toString() || '{}');

export function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
}

/** An object as the JSON API shows it. */
export const resourceOf = (name: string, { size, generation, contentType, metadata, updated, crc32c }: Stored) => ({
  name,
  size: String(size),
  generation: String(generation),
  contentType,
  metadata,
  updated,
  crc32c,
});
