import type { LightMyRequestResponse } from 'fastify';
import { statusByCode } from '../src/errors.js';
import { multipart } from './multipart.js';
import type { FileValue, ListQuery, Outcome, Surface } from './surfaces.js';
import type { Actor, World } from './world.js';

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
type Plain = Record<string, unknown>;

/** Where the wire's name is not the domain's in snake case. Written here again, so that the code's own table cannot hide a drift. */
const renamed = { categoryId: 'category', storageId: 'storage', parentId: 'parent', documentId: 'document', sha256: 'checksum' };
const domainNames = new Map(Object.entries(renamed).map(([domain, wire]) => [wire, domain]));
/** What is passed on as it is. */
const opaque = new Set(['metadata', 'config', 'credentials', 'tags']);
/** Lower case on the wire. */
const enums = new Set(['status', 'provider']);
/** Empty on the wire where the domain has null. */
const emptyIsNull = new Set(['updatedBy', 'reviewedBy', 'rejectionReason']);

const wireName = (name: string) =>
  new Map<string, string>(Object.entries(renamed)).get(name) ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

const toWire = (input: Plain): Plain =>
  Object.fromEntries(Object.entries(input).map(([name, value]) => [wireName(name), enums.has(name) ? String(value).toLowerCase() : value]));

function fromWire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromWire);
  if (typeof value === 'string') return /T.*\.\d{6}Z$/.test(value) ? new Date(value).toISOString() : value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([name]) => name !== 'tenant_id' && name !== 'preview_url');
  return Object.fromEntries(fields.map(([name, part]) => fieldFromWire(domainNames.get(name) ?? camel(name), part)));
}

function fieldFromWire(name: string, part: unknown): [string, unknown] {
  // An object under the name of a reference: the document that a preview shows.
  if (name === 'documentId' && typeof part === 'object') return ['document', fromWire(part)];
  if (opaque.has(name)) return [name, part];
  if (enums.has(name)) return [name, String(part).toUpperCase()];
  if (name === 'sha256') return [name, String(part).replace('sha256:', '')];
  if (emptyIsNull.has(name)) return [name, part === '' ? null : fromWire(part)];
  return [name, fromWire(part)];
}

/** Lists take their conditions in the query. */
function queryOf({ filter = {}, order, size }: ListQuery): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined) continue;
    if (name === 'tagsAll') query.set('tags', String(value));
    else if (name === 'createdAt') range(query, value, 'created_at_after', 'created_at_before');
    else if (name === 'expiresAt') range(query, value, 'expires_at_gte', 'expires_at_lte');
    else query.set(wireName(name), enums.has(name) ? String(value).toLowerCase() : String(value ?? ''));
  }
  if (order) query.set('ordering', `${order.direction === 'DESC' ? '-' : ''}${order.field.toLowerCase()}`);
  if (size) query.set('page_size', String(size));
  return query.size > 0 ? `?${query}` : '';
}

function range(query: URLSearchParams, value: unknown, from: string, to: string): void {
  const ends = new Map(Object.entries(Object(value)));
  if (ends.has('from')) query.set(from, String(ends.get('from')));
  if (ends.has('to')) query.set(to, String(ends.get('to')));
}

/** An error, told by its code: that is what `application/problem+json` adds to the contract's bodies. */
function refusal(answer: LightMyRequestResponse): { code: string; fields?: string[] } {
  const { code, errors } = answer.json();
  if (statusByCode[code as keyof typeof statusByCode] !== answer.statusCode) throw new Error(`${code} with ${answer.statusCode}`);
  // A version that does not match is a precondition at this door, and a conflict at the other.
  return { code: code === 'PRECONDITION_FAILED' ? 'CONFLICT' : code, ...(errors && { fields: Object.keys(errors) }) };
}

/** The REST door, as a client sees it. */
export function restSurface(world: () => World): Surface {
  async function send<Value>(who: Actor | null, method: Method, url: string, input?: Plain, headers = {}): Promise<Outcome<Value>> {
    const { expectedVersion, ...body } = input ?? {};
    const answer = await world().inject(who, {
      method,
      url,
      headers: { accept: 'application/problem+json', ...(expectedVersion != null && { 'if-match': `"${expectedVersion}"` }), ...headers },
      ...(input && method !== 'DELETE' && { payload: toWire(body) }),
    });
    if (String(answer.headers['content-type']).startsWith('application/problem+json')) return refusal(answer);
    if (answer.statusCode === 204) return { value: null as Value }; // Only of acts without a value.
    return { value: fromWire(answer.json()) as Value }; // What surfaces.ts says; the tests compare it.
  }

  async function list<Value>(who: Actor | null, path: string, query: ListQuery): Promise<Outcome<{ count: number; rows: Value[] }>> {
    const found = await send<{ count: number; results: Value[] }>(who, 'GET', `${path}${queryOf(query)}`);
    return 'value' in found ? { value: { count: found.value.count, rows: found.value.results } } : found;
  }

  const problem = { accept: 'application/problem+json' };
  const files = (documentId: string) => `/documents/${documentId}/files/`;
  const shares = (documentId: string) => `/documents/${documentId}/shares/`;
  return {
    name: 'REST',
    createStorage: (who, input) => send(who, 'POST', '/storages/', input),
    updateStorage: (who, id, input) => send(who, 'PATCH', `/storages/${id}/`, input),
    getStorage: (who, id) => send(who, 'GET', `/storages/${id}/`),
    listStorages: (who, query = {}) => list(who, '/storages/', query),
    testCredential: async (who, id) => {
      const tested = await send<{ checks: { name: string; ok: boolean }[] }>(who, 'GET', `/storages/${id}/test-credential/`);
      return 'value' in tested ? { value: tested.value.checks.map(({ name, ok }) => ({ name, ok })) } : tested;
    },
    createCategory: (who, input) => send(who, 'POST', '/categories/', input),
    updateCategory: (who, id, input) => send(who, 'PATCH', `/categories/${id}/`, input),
    getCategory: (who, id) => send(who, 'GET', `/categories/${id}/`),
    listCategories: (who, query = {}) => list(who, '/categories/', query),
    createDocument: (who, input) => send(who, 'POST', '/documents/', input),
    updateDocument: (who, id, input) => send(who, 'PATCH', `/documents/${id}/`, input),
    deleteDocument: (who, id, input) => send(who, 'DELETE', `/documents/${id}/`, input),
    getDocument: (who, id) => send(who, 'GET', `/documents/${id}/`),
    listDocuments: (who, query = {}) => list(who, '/documents/', query),
    listTags: async (who, search) => {
      const query = new URLSearchParams({ counts: 'true', ...(search !== undefined && { search }) });
      const found = await send<{ tag: string; count: number }[]>(who, 'GET', `/documents/tags/?${query}`);
      return 'value' in found ? { value: found.value.map(({ tag, count }) => ({ name: tag, count })) } : found;
    },
    approve: (who, id, input = {}) => send(who, 'PUT', `/documents/${id}/approve/`, input),
    reject: (who, id, input) => send(who, 'PUT', `/documents/${id}/reject/`, input),
    inactivate: (who, id, input = {}) => send(who, 'PUT', `/documents/${id}/inactive/`, input),
    uploadFiles: async (who, documentId, uploads) => {
      const { headers, payload } = multipart(uploads.map((file) => ({ field: 'files', ...file })));
      const answer = await world().inject(who, { method: 'POST', url: files(documentId), headers: { ...headers, ...problem }, payload });
      return answer.statusCode === 201 ? { value: fromWire(answer.json()) as FileValue[] } : refusal(answer); // As in send.
    },
    downloadFile: async (who, documentId, id) => {
      const answer = await world().inject(who, { url: `${files(documentId)}${id}/`, headers: problem });
      return answer.statusCode === 200 ? { value: answer.body } : refusal(answer);
    },
    deleteFile: (who, documentId, id) => send(who, 'DELETE', `${files(documentId)}${id}/`),
    shareDocument: (who, documentId, input) => send(who, 'POST', `${shares(documentId)}?expand=policy`, input),
    updateShare: (who, documentId, id, input) => send(who, 'PATCH', `${shares(documentId)}${id}/?expand=policy`, input),
    revokeShare: (who, documentId, id, input) => send(who, 'DELETE', `${shares(documentId)}${id}/`, input),
    getShare: (who, documentId, id) => send(who, 'GET', `${shares(documentId)}${id}/?expand=policy`),
    listShares: async (who, documentId, query = {}) => {
      const path = `${shares(documentId)}${queryOf(query) || '?'}&expand=policy`;
      return list(who, path, {});
    },
    previewShare: (token, password) =>
      send(null, 'GET', `/documents/preview/${token}/`, undefined, password === undefined ? {} : { 'x-share-password': password }),
  };
}
