import type { ProbeCheck } from '../blob/store.js';
import { StorageError } from '../errors.js';
import { builder } from '../graphql/builder.js';
import { byNameFirst, connectionCost, nameOrder, orderInput, timeOrders, toConnection } from '../graphql/connection.js';
import { Auditable, Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { finds } from '../graphql/plan/declare.js';
import { storageOfId } from './storage.relations.js';
import { createStorage, getStorage, listStorages, testCredential, testStoredCredential, updateStorage } from './storage.service.js';

export const StorageProviderEnum = builder.enumType('StorageProvider', {
  description: 'Who keeps the bytes.',
  values: {
    LOCAL_FS: { description: "A folder of this server; every tenant's default." },
    AWS_S3: { description: 'Amazon S3 or anything that speaks its protocol.' },
    GCP_STORAGE: { description: 'Google Cloud Storage.' },
    AZURE_BLOB: { description: 'Azure Blob Storage.' },
  } as const,
});

export const Storage = builder.prismaObject('Storage', {
  description: 'A bucket where files are kept. Each tenant has a default one.',
  interfaces: [Node, Auditable],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it.' }),
    provider: t.expose('provider', { type: StorageProviderEnum, description: 'Who keeps the bytes.' }),
    bucket: t.exposeString('bucket', { description: "The provider's name for it." }),
    config: t.expose('config', { type: 'JSON', description: "Settings of the bucket, in the provider's own words." }),
    credentials: t.expose('credentialsMasked', { type: 'JSON', description: 'How Docgate signs in; every secret is shown as `********`.' }),
    managed: t.exposeBoolean('managed', { description: 'Whether Docgate creates and configures the bucket.' }),
    isDefault: t.exposeBoolean('isDefault', { description: 'Whether documents that name no storage go here.' }),
  }),
});

const StorageConnection = builder.connectionObject(
  { type: Storage, name: 'StorageConnection', description: 'A page of storages.' },
  { name: 'StorageEdge', description: 'A storage and its cursor.' },
);

const StorageFilterInput = builder.inputType('StorageFilter', {
  description: 'Which storages. All conditions hold together.',
  fields: (t) => ({
    provider: t.field({ type: StorageProviderEnum, description: 'Of this provider.' }),
    managed: t.boolean({ description: 'Managed by Docgate or not.' }),
    search: t.string({ description: 'Whose name or bucket contains this, whatever its case.' }),
  }),
});
const StorageOrder = orderInput('Storage', { ...timeOrders, ...nameOrder });

builder.queryFields((t) => ({
  storage: t.field({
    type: Storage,
    nullable: true,
    description: 'One storage, or null.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    extensions: finds(storageOfId),
    resolve: (_, { id }, ctx) => orNull(getStorage(ctx, id)),
  }),
  storages: t.field({
    type: StorageConnection,
    description: "The tenant's storages, the default one included. By name if not ordered otherwise.",
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: StorageFilterInput, description: 'Which ones.' }),
      orderBy: t.arg({ type: StorageOrder, description: 'In which order.' }),
    },
    complexity: connectionCost,
    resolve: async (_, { filter, orderBy, ...page }, ctx) =>
      toConnection(await listStorages(ctx, { filter, order: orderBy ?? byNameFirst, page })),
  }),
}));

const CreateStorageInput = builder.inputType('CreateStorageInput', {
  description: 'A new storage.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 100 characters.' }),
    provider: t.field({ type: StorageProviderEnum, required: true, description: 'Fixed at creation.' }),
    bucket: t.string({ required: true, description: '3 to 63 lower-case letters, digits and hyphens. Fixed at creation.' }),
    config: t.field({ type: 'JSON', description: 'Settings of the bucket.' }),
    credentials: t.field({ type: 'JSON', required: true, description: 'How to sign in. Never shown again. LOCAL_FS takes `{}`.' }),
    managed: t.boolean({ description: 'Whether Docgate shall create and configure the bucket. Fixed at creation.' }),
  }),
});

const UpdateStorageInput = builder.inputType('UpdateStorageInput', {
  description: 'A change of a storage. What is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Which storage.' }),
    name: t.string({ description: '1 to 100 characters.' }),
    config: t.field({ type: 'JSON', description: 'Settings of the bucket.' }),
    credentials: t.field({ type: 'JSON', description: 'How to sign in. What is masked, or `{}`, stays as it is.' }),
    expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
  }),
});

const TestCredentialInput = builder.inputType('TestCredentialInput', {
  description: 'Either `storageId`, or `provider`, `bucket` and `credentials` that are not saved yet.',
  fields: (t) => ({
    storageId: t.id({ description: 'A stored configuration.' }),
    provider: t.field({ type: StorageProviderEnum, description: 'Of an unsaved configuration.' }),
    bucket: t.string({ description: 'Of an unsaved configuration.' }),
    credentials: t.field({ type: 'JSON', description: 'Of an unsaved configuration.' }),
  }),
});

const CredentialCheck = builder.objectRef<ProbeCheck>('CredentialCheck').implement({
  description: 'One thing that was tried.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What was tried.' }),
    ok: t.exposeBoolean('ok', { description: 'Whether it went well.' }),
    latencyMs: t.exposeInt('latencyMs', { description: 'How long it took, in milliseconds.' }),
    detail: t.exposeString('detail', { description: 'Why it failed and what to do; empty when ok.' }),
  }),
});

const CredentialTest = builder.objectRef<ProbeCheck[]>('CredentialTest').implement({
  description: 'The result of trying a storage configuration.',
  fields: (t) => ({
    success: t.boolean({ description: 'Whether every check went well.', resolve: (checks) => checks.every((check) => check.ok) }),
    checks: t.field({ type: [CredentialCheck], description: 'Everything that was tried, in order.', resolve: (checks) => checks }),
  }),
});

builder.mutationFields((t) => ({
  createStorage: t.field({
    type: Storage,
    errors: { types: [StorageError] },
    description: 'Adds a storage. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: CreateStorageInput, required: true, description: 'The storage.' }) },
    resolve: (_, { input }, ctx) => createStorage(ctx, input),
  }),
  updateStorage: t.field({
    type: Storage,
    errors: { types: [StorageError] },
    description: 'Changes a storage. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: UpdateStorageInput, required: true, description: 'The change.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => updateStorage(ctx, id, input),
  }),
  testCredential: t.field({
    type: CredentialTest,
    errors: { types: [StorageError] },
    description: 'Tries a storage: everything that Docgate will do there, on an object of its own. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: TestCredentialInput, required: true, description: 'What to try.' }) },
    resolve: (_, { input: { storageId, ...input } }, ctx) =>
      storageId != null ? testStoredCredential(ctx, storageId) : testCredential(ctx, input),
  }),
}));
