import { randomUUID } from 'node:crypto';
import type { StorageError } from '../errors.js';
import { changedMeanwhile } from './faults.js';
import { type GcsBucket, objectPath, objectsPath } from './gcs-client.js';
import { failAsGcs, gcsFault } from './gcs-faults.js';
import { notGcs } from './gcs-transport.js';
import type { ObjectInfo } from './store.js';

/** What the JSON API tells of an object, as far as it is asked for. */
export interface GcsObject {
  name: string;
  /** In bytes, as a text. */
  size: string;
  updated: string;
  generation: string;
  contentType?: string;
  metadata?: Record<string, string>;
  /** Of the bytes, in base64. */
  crc32c: string;
}

const FIELDS = 'name,size,updated,generation,contentType,metadata,crc32c';
/** Tells an object that we wrote, when the answer was lost, from one that was there before. */
const MARK = 'docgate-write';

export const newMark = () => ({ [MARK]: randomUUID() });
export type Mark = ReturnType<typeof newMark>;

/** Judges a write that was refused because the key is taken. @throws StorageError unless it is our own object */
export async function settle(place: GcsBucket, key: string, mark: Mark, fault: StorageError): Promise<void> {
  if (fault.reason !== 'ALREADY_EXISTS') throw fault;
  const { metadata } = await headGcs(place, key);
  if (metadata?.[MARK] !== mark[MARK]) throw fault;
}

export async function headGcs(place: GcsBucket, key: string): Promise<GcsObject> {
  const { data } = await place.send<GcsObject>({ path: objectPath(place, key), params: { fields: FIELDS } }).catch(failAsGcs);
  return data;
}

export const infoOf = ({ name, size, updated, generation }: GcsObject): ObjectInfo => ({
  key: name,
  size: Number(size),
  modifiedAt: new Date(updated),
  version: generation,
});

interface Page {
  kind: string;
  items?: GcsObject[];
  nextPageToken?: string;
}

/** Rejects with StorageError, also for whatever is taken for a list of nothing. */
export async function pageOf(place: GcsBucket, prefix: string, params: { maxResults?: number; pageToken?: string }): Promise<Page> {
  const fields = `kind,items(${FIELDS}),nextPageToken`;
  const { data } = await place.send<Page>({ path: objectsPath(place), params: { prefix, fields, ...params } }).catch(failAsGcs);
  if (data.kind !== 'storage#objects') throw notGcs();
  return data;
}

export async function* listGcs(place: GcsBucket, prefix: string): AsyncGenerator<ObjectInfo> {
  for (let pageToken: string | undefined, more = true; more; more = pageToken !== undefined) {
    const page = await pageOf(place, prefix, { pageToken });
    for (const item of page.items ?? []) yield infoOf(item);
    pageToken = page.nextPageToken;
  }
}

interface Rewrite {
  done: boolean;
  rewriteToken?: string;
}

/** The SDK's own copy forgets, from an object's second step on, that it must not replace anything. */
export async function copyGcs(place: GcsBucket, from: string, to: string, version?: string): Promise<void> {
  const { generation, contentType } = await headGcs(place, from);
  if (version !== undefined && version !== generation) throw changedMeanwhile();
  const mark = newMark();
  const step = (rewriteToken?: string) =>
    place.send<Rewrite>({
      method: 'POST',
      path: `${objectPath(place, from)}/rewriteTo${objectPath(place, to).slice('/storage/v1'.length)}`,
      params: { sourceGeneration: generation, ifGenerationMatch: 0, rewriteToken },
      data: { contentType, metadata: mark },
      patience: place.patience.transfer,
    });
  try {
    for (let token: string | undefined, done = false; !done; ) ({ done, rewriteToken: token } = (await step(token)).data);
  } catch (error) {
    const fault = gcsFault(error);
    // It was there a moment ago.
    if (fault.reason === 'NOT_FOUND') throw changedMeanwhile();
    await settle(place, to, mark, fault);
  }
}
