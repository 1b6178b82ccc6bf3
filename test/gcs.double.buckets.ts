import { type BucketResource, type Exchange, type GcsState, jsonOf, Refusal, resourceOf, send } from './gcs.double.state.js';

const PAGE = 1000;

export async function createBucket({ allow, buckets }: GcsState, { request, response }: Exchange): Promise<void> {
  allow('storage.buckets.create');
  const { name, ...resource } = await jsonOf(request);
  if (buckets.has(name)) throw new Refusal(409, 'Your previous request to create the named bucket succeeded and you already own it.');
  buckets.set(name, { resource, objects: new Map() });
  send(response, 200, { name, ...resource });
}

export async function atBucket({ allow, bucketOf }: GcsState, { request, response }: Exchange, name: string): Promise<void> {
  const bucket = bucketOf(name);
  if (request.method === 'PATCH') {
    allow('storage.buckets.update');
    bucket.resource = merged(bucket.resource, await jsonOf(request));
  } else allow('storage.buckets.get');
  send(response, 200, { name, ...bucket.resource });
}

export function listObjects({ allow, bucketOf, found }: GcsState, { response, url }: Exchange, name: string): void {
  allow('storage.objects.list');
  const { objects } = bucketOf(name);
  const prefix = url.searchParams.get('prefix') ?? '';
  const from = Number(url.searchParams.get('pageToken') ?? 0);
  const size = Math.min(Number(url.searchParams.get('maxResults') ?? PAGE), PAGE);
  const names = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const items = names.slice(from, from + size).map((key) => resourceOf(key, found(name, key)));
  const more = names.length > from + size && { nextPageToken: String(from + size) };
  send(response, 200, { kind: 'storage#objects', items, ...more });
}

/** A patch as JSON merges it: null removes, objects are merged, all else is replaced. */
function merged(old: BucketResource, patch: BucketResource): BucketResource {
  const entries = Object.entries(patch).map(([key, value]) => {
    const [before, isObject] = [old[key], typeof value === 'object' && value !== null && !Array.isArray(value)];
    return [
      key,
      isObject ? merged((typeof before === 'object' && before ? before : {}) as BucketResource, value as BucketResource) : value,
    ];
  });
  return Object.fromEntries(Object.entries({ ...old, ...Object.fromEntries(entries) }).filter(([, value]) => value !== null));
}
