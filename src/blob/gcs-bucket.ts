import { isDeepStrictEqual } from 'node:util';
import { StorageError } from '../errors.js';
import type { GcsCredentials } from './credentials.js';
import { bucketPath, createGcsBucket, type GcsBucket } from './gcs-client.js';
import type { GcsBucketConfig } from './gcs-config.js';
import { failAsGcs, gcsFault } from './gcs-faults.js';
import { pageOf } from './gcs-objects.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { usualPatience } from './patience.js';

type Key = keyof GcsBucketConfig;

/** Nobody without credentials gets in, unless the configuration says otherwise. */
const closed = { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' };

/** What a key is set to when it is left out; null removes the others. */
const defaults: { [K in Key]?: unknown } = {
  storageClass: 'STANDARD',
  iamConfiguration: closed,
  softDeletePolicy: { retentionDurationSeconds: 7 * 24 * 60 * 60 },
};

interface Wanted {
  bucket: string;
  credentials: GcsCredentials;
  config: GcsBucketConfig;
  /** What was applied before; null: the bucket is to be created. */
  before: GcsBucketConfig | null;
}

/**
 * Creates a bucket, or takes over an empty one, and applies the difference between two configurations, all of it or nothing.
 *
 * @throws StorageError ALREADY_EXISTS for a bucket with objects: its configuration is not ours to change
 */
export async function provisionGcs({ bucket, credentials, config, before }: Wanted, hosts: HostGuard): Promise<void> {
  if (credentials.endpoint) hosts.check(credentials.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 1 });
  const place = createGcsBucket(bucket, credentials, agents, usualPatience);
  try {
    if (before === null) await create(place, credentials.project_id, config);
    else if (before.location !== config.location) throw locationIsFixed();
    else await applyDifference(place, config, before);
  } finally {
    closeIdle(agents);
  }
}

async function create(place: GcsBucket, project: string, config: GcsBucketConfig): Promise<void> {
  const data = { name: place.bucket.name, ...config, iamConfiguration: { ...closed, ...config.iamConfiguration } };
  try {
    await place.send({ method: 'POST', path: '/storage/v1/b', params: { project }, data });
  } catch (error) {
    const fault = gcsFault(error);
    if (fault.reason !== 'ALREADY_EXISTS') throw refused(fault, Object.keys(config));
    await takeOver(place, config);
  }
}

async function takeOver(place: GcsBucket, { location, ...config }: GcsBucketConfig): Promise<void> {
  const { items = [] } = await pageOf(place, '', { maxResults: 1 }).catch((fault: StorageError) => {
    throw fault.reason === 'FORBIDDEN' ? bucketInUse() : fault;
  });
  if (items.length > 0) throw bucketInUse();
  const found = await place
    .send<{ location?: string }>({ path: bucketPath(place.bucket.name), params: { fields: 'location' } })
    .catch(failAsGcs);
  if (location !== undefined && found.data.location?.toUpperCase() !== location.toUpperCase()) throw locationIsFixed();
  await patch(place, { ...config, iamConfiguration: { ...closed, ...config.iamConfiguration } });
}

async function applyDifference(place: GcsBucket, config: GcsBucketConfig, before: GcsBucketConfig): Promise<void> {
  const keys = new Set([...Object.keys(config), ...Object.keys(before)] as Key[]);
  const changed = [...keys].filter((key) => !isDeepStrictEqual(config[key], before[key]));
  if (changed.length === 0) return;
  await patch(place, Object.fromEntries(changed.map((key) => [key, patchOf(key, config, before)])));
}

/** A patch merges objects, so what an old one had beyond the new one is named as null. */
function patchOf(key: Key, config: GcsBucketConfig, before: GcsBucketConfig): unknown {
  const value = config[key] ?? defaults[key] ?? null;
  if (key === 'iamConfiguration') return { ...closed, ...config.iamConfiguration };
  const old = before[key];
  if (!isObject(value) || !isObject(old)) return value;
  return { ...Object.fromEntries(Object.keys(old).map((name) => [name, null])), ...value };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

async function patch(place: GcsBucket, data: object): Promise<void> {
  await place.send({ method: 'PATCH', path: bucketPath(place.bucket.name), data }).catch((error: unknown) => {
    throw refused(gcsFault(error), Object.keys(data));
  });
}

/** Names what was asked for, where the service understood the request but not what it is about. */
function refused(fault: StorageError, keys: string[]): StorageError {
  const named = keys.map((key) => `config.${key}`).join(', ');
  const isAboutThem = fault.reason === 'UNKNOWN' && keys.length > 0;
  return isAboutThem ? new StorageError(fault.reason, `The storage refused ${named}: ${fault.message}`, { cause: fault.cause }) : fault;
}

const bucketInUse = () =>
  new StorageError(
    'ALREADY_EXISTS',
    'There is such a bucket and it is of someone else or holds objects. Name another one, or use it as it is: send managed as false.',
  );
const locationIsFixed = () =>
  new StorageError('UNSUPPORTED', 'config.location is given when a bucket is created, and then for good. Create another storage.');
