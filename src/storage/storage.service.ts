import { changes, recordEvent } from '../audit/audit.service.js';
import { authorize } from '../auth/policy.js';
import { maskCredentials, mergeCredentials, parseCredentials } from '../blob/credentials.js';
import type { BlobStore, ProbeCheck } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import { Prisma, type StorageProvider, type Storage as StorageRow } from '../db/generated/client.js';
import { isId, newId } from '../db/id.js';
import { changedRow, lockRow, newRow } from '../db/rows.js';
import { invalid, notFound, versionConflict } from '../errors.js';
import { contains, type DateRange, equals, within } from '../filters.js';
import { parseInput } from '../input.js';
import { listNumbered, type NumberedQuery } from '../numbered.js';
import { countRows, listPage, type Order, type PageArgs } from '../paging.js';
import { knownAddress, rememberAddress } from './addresses.js';
import {
  type CreateStorageInput,
  createStorageInput,
  type ProbeInput,
  probeInput,
  type UpdateStorageInput,
  updateStorageInput,
} from './storage.input.js';
import { storageById, storages } from './storage.loader.js';
import { canReadStorages, canWriteStorages } from './storage.policy.js';

export type { StorageRow };

export interface StorageFilter {
  provider?: StorageProvider | null;
  managed?: boolean | null;
  /** Part of the name or the bucket. */
  search?: string | null;
  createdAt?: DateRange | null;
}

/** Whoever created a tenant's default storage: nobody, the system did. */
const SYSTEM_USER = '00000000-0000-0000-0000-000000000000';
const DEFAULT_BUCKET = 'default';
const audited = ['name', 'config', 'credentialsMasked'] as const;

export async function getStorage(ctx: RequestContext, id: string): Promise<StorageRow> {
  authorize(ctx, canReadStorages);
  const row = isId(id) ? await storageById(ctx).load(id) : null;
  if (!row) throw notFound('Storage');
  return row;
}

export async function listStorages(ctx: RequestContext, query: { filter?: StorageFilter | null; order: Order; page: PageArgs }) {
  authorize(ctx, canReadStorages);
  await defaultStorage(ctx);
  const where = storageConditions(query.filter);
  const page = await listPage(ctx, storages, { ...query, where });
  return { ...page, total: () => countRows(ctx, storages, where) };
}

export async function listStoragesByNumber(ctx: RequestContext, { filter, ...query }: NumberedQuery<StorageFilter>) {
  authorize(ctx, canReadStorages);
  await defaultStorage(ctx);
  return listNumbered(ctx, storages, storageConditions(filter), query);
}

const storageConditions = (filter: StorageFilter | null | undefined): Prisma.Sql[] => [
  ...equals('s.provider', filter?.provider, '::storage_provider'),
  ...equals('s.managed', filter?.managed),
  ...contains(filter?.search, 's.name', 's.bucket'),
  ...within(filter?.createdAt, 's.created_at', 'filter.createdAt'),
];

export async function createStorage(ctx: RequestContext, raw: CreateStorageInput): Promise<StorageRow> {
  authorize(ctx, canWriteStorages);
  const { config, credentials: given, managed, ...input } = parseInput(createStorageInput, raw);
  const credentials = parseCredentials(input.provider, given);
  const masked = maskCredentials(input.provider, credentials);
  const address = { ...input, credentials, tenantId: ctx.db.tenantId };
  await ctx.services.blobs.prepare(address);
  if (managed) await ctx.services.blobs.provision(address, config ?? {}, null);
  return inTransaction(ctx, async (tx) => {
    const audit = newRow(tx);
    const sealed = seal(tx, audit.id, credentials);
    const row = await tx.db.storage.create({
      data: { ...audit, ...input, config: config ?? {}, managed: managed ?? false, credentials: sealed, credentialsMasked: masked },
    });
    const after = { name: row.name, provider: row.provider, bucket: row.bucket, managed: row.managed, config: row.config };
    await recordEvent(tx, { action: 'storage.created', subjectId: row.id, entity: { type: 'Storage', id: row.id }, after });
    return row;
  });
}

/** @param fixed what the caller takes to stand; anything else is refused */
export async function updateStorage(ctx: RequestContext, id: string, raw: UpdateStorageInput, fixed: Fixed = {}): Promise<StorageRow> {
  authorize(ctx, canWriteStorages);
  const { expectedVersion: expected, credentials, name, config } = parseInput(updateStorageInput, raw);
  // A bucket answers in its own time, which no transaction should wait for; so its row must not change meanwhile.
  const expectedVersion = config ? ((await applyConfig(ctx, id, config, expected)) ?? expected) : expected;
  return inTransaction(ctx, async (tx) => {
    const before = await lockRow(tx, storages, id, { what: 'Storage', expectedVersion });
    requireSame(before, fixed);
    const secret = credentials && (await changedCredentials(tx, before, credentials));
    const [after = before] = await tx.db.storage.updateManyAndReturn({
      where: { id },
      data: { ...(name != null && { name }), ...(config != null && { config }), ...secret, ...changedRow(tx) },
    });
    const difference = changes(before, after, audited);
    if (difference) await recordEvent(tx, { action: 'storage.updated', subjectId: id, entity: { type: 'Storage', id }, ...difference });
    return after;
  });
}

/** Applies a new configuration to a bucket that Docgate manages. @returns the version that it was applied to; null for other buckets */
async function applyConfig(ctx: RequestContext, id: string, config: object, expectedVersion?: number | null): Promise<number | null> {
  const [row] = isId(id) ? await ctx.db.storage.findMany({ where: { id } }) : [];
  if (!row) throw notFound('Storage');
  if (!row.managed) return null;
  if (expectedVersion != null && expectedVersion !== row.version) throw versionConflict(expectedVersion, row.version);
  const { tenantId, provider, bucket } = row;
  // Only objects are ever stored there.
  await ctx.services.blobs.provision({ tenantId, provider, bucket, credentials: unseal(ctx, row) }, config, row.config as object);
  return row.version;
}

/** The mask, where it is sent back, stands for what is stored; `{}` for all of it, as legacy clients send it. */
async function changedCredentials(ctx: RequestContext, row: StorageRow, given: Record<string, unknown>) {
  if (Object.keys(given).length === 0) return {};
  const { id, tenantId, provider, bucket } = row;
  const credentials = parseCredentials(provider, mergeCredentials(provider, given, unseal(ctx, row)));
  await ctx.services.blobs.prepare({ tenantId, provider, bucket, credentials });
  return { credentialsMasked: maskCredentials(provider, credentials), credentials: seal(ctx, id, credentials) };
}

/** What a storage keeps from its creation on. */
interface Fixed {
  provider?: StorageProvider | null;
  bucket?: string | null;
  managed?: boolean | null;
}

function requireSame(row: StorageRow, wanted: Fixed): void {
  for (const field of ['provider', 'bucket', 'managed'] as const) {
    if (wanted[field] != null && wanted[field] !== row[field]) throw invalid(field, 'is fixed at creation; create another storage');
  }
}

/** Tries a stored configuration: everything that Docgate will do there. */
export async function testStoredCredential(ctx: RequestContext, id: string): Promise<ProbeCheck[]> {
  authorize(ctx, canWriteStorages);
  return (await storeOf(ctx, await getStorage(ctx, id))).probe();
}

/** Tries a configuration before it is saved. */
export async function testCredential(ctx: RequestContext, raw: ProbeInput): Promise<ProbeCheck[]> {
  const { tenantId } = authorize(ctx, canWriteStorages);
  const { provider, bucket, credentials } = parseInput(probeInput, raw);
  const address = { tenantId, provider, bucket, credentials: parseCredentials(provider, credentials) };
  await ctx.services.blobs.prepare(address);
  return (await ctx.services.blobs.open(address)).probe();
}

/** The tenant's default storage: where a document goes that names none. Made on first use. */
export async function defaultStorage(ctx: RequestContext): Promise<StorageRow> {
  const find = () => ctx.db.storage.findFirst({ where: { isDefault: true } });
  const found = await find();
  if (found) return found;
  const id = newId();
  const credentials = seal(ctx, id, {});
  await ctx.services.blobs.prepare({ tenantId: ctx.db.tenantId, provider: 'LOCAL_FS', bucket: DEFAULT_BUCKET, credentials: {} });
  await ctx.db.execute(Prisma.sql`
    INSERT INTO storages (tenant_id, id, created_by, created_at, updated_at, name, provider, bucket, credentials, credentials_masked, is_default)
    VALUES (${ctx.db.tenantId}::uuid, ${id}, ${SYSTEM_USER}::uuid, ${ctx.now()}, ${ctx.now()}, 'Default', 'LOCAL_FS', ${DEFAULT_BUCKET}, ${credentials}, '{}', true)
    ON CONFLICT (tenant_id) WHERE is_default DO NOTHING`);
  const made = await find();
  if (!made) throw new Error('the default storage was neither found nor made');
  return made;
}

/** The place where a storage's bytes are. */
export async function storeOf(ctx: RequestContext, storage: StorageRow): Promise<BlobStore> {
  const address = knownAddress(ctx, storage) ?? addressOf(ctx, storage);
  rememberAddress(ctx, storage, address);
  return ctx.services.blobs.open(address);
}

const addressOf = (ctx: RequestContext, storage: StorageRow) => {
  const { tenantId, provider, bucket } = storage;
  return { tenantId, provider, bucket, credentials: unseal(ctx, storage) };
};

const seal = (ctx: RequestContext, id: string, credentials: object) =>
  ctx.services.secrets.seal(JSON.stringify(credentials), { table: 'storages', tenantId: ctx.db.tenantId, id });

const unseal = (ctx: RequestContext, { credentials, tenantId, id }: Pick<StorageRow, 'credentials' | 'tenantId' | 'id'>) =>
  JSON.parse(ctx.services.secrets.open(credentials, { table: 'storages', tenantId, id }));
