import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { created, expectedVersion, sendVersioned } from '../rest/etag.js';
import { anyObject, example, idParams, operation, reading, writing } from '../rest/operation.js';
import { envelope, numbered, pageOf, pageQuery } from '../rest/pages.js';
import { audit, auditExample, auditShape, flag } from '../rest/wire.js';
import { createStorageInput, updateStorageInput } from './storage.input.js';
import {
  createStorage,
  getStorage,
  listStoragesByNumber,
  type StorageRow,
  testStoredCredential,
  updateStorage,
} from './storage.service.js';

const providers = ['aws_s3', 'gcp_storage', 'azure_blob', 'local_fs'] as const;
const provider = z.enum(providers);
type WireProvider = z.infer<typeof provider>;

// Upper and lower case are the whole difference between the two spellings.
const toProvider = (wire: WireProvider) => wire.toUpperCase() as StorageRow['provider'];

const bucketExample = {
  name: 'KYC files',
  provider: 'aws_s3' as const,
  bucket: 'kyc-files',
  credentials: {
    region: 'ap-south-1',
    aws_access_key_id: 'AKIAIOSFODNN7EXAMPLE',
    aws_secret_access_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  },
};
const storage = z
  .object({
    ...auditShape,
    name: z.string(),
    provider,
    bucket: z.string(),
    config: anyObject,
    credentials: anyObject.meta({ description: 'Secret values are shown as "********".' }),
    managed: z.boolean(),
  })
  .meta({
    id: 'Storage',
    description: 'Where the bytes of files are kept.',
    examples: [
      {
        ...auditExample,
        ...bucketExample,
        config: {},
        credentials: { ...bucketExample.credentials, aws_secret_access_key: '********' },
        managed: false,
      },
    ],
  });

export const wireStorage = (row: StorageRow) => ({
  ...audit(row),
  name: row.name,
  provider: row.provider.toLowerCase(),
  bucket: row.bucket,
  config: row.config,
  credentials: row.credentialsMasked,
  managed: row.managed,
});

const check = z.object({ name: z.string(), ok: z.boolean(), latency_ms: z.int(), detail: z.string() }).meta({
  id: 'CredentialCheck',
  description: 'Something that was tried with the credentials of a storage.',
  examples: [{ name: 'write', ok: true, latency_ms: 12, detail: '' }],
});
const tested = z.object({ success: z.boolean(), checks: z.array(check) });
const refused = z.object({ success: z.boolean(), detail: z.string(), checks: z.array(check) });

const { name, bucket, config, credentials, managed } = createStorageInput.shape;
const creation = z.object({ name, provider, bucket, config, credentials, managed }).meta(example(bucketExample));
const change = z
  .object({
    name: updateStorageInput.shape.name,
    config,
    credentials: updateStorageInput.shape.credentials,
    provider: provider.nullish().meta({ description: 'Fixed at creation.' }),
    bucket: z.string().nullish().meta({ description: 'Fixed at creation.' }),
    managed: z.boolean().nullish().meta({ description: 'Fixed at creation.' }),
  })
  .meta(example({ name: 'Archive' }));
const query = z.object({ ...pageQuery('created_at', 'updated_at', 'name'), provider: provider.optional(), managed: flag().optional() });

export const storageRoutes: FastifyPluginAsyncZod = async (app) => {
  app.post(
    '/storages/',
    {
      schema: operation({
        id: 'createStorage',
        summary: 'Create Storage',
        tag: 'Storage',
        body: creation,
        ok: { 201: storage },
        errors: writing,
      }),
    },
    async ({ ctx, body }, reply) => {
      const row = await createStorage(ctx, { ...body, provider: toProvider(body.provider) });
      return created(reply, row.version, wireStorage(row));
    },
  );
  app.get(
    '/storages/',
    {
      schema: operation({
        id: 'listStorages',
        summary: 'List Storage',
        tag: 'Storage',
        query,
        ok: { 200: pageOf(storage) },
        errors: reading,
      }),
    },
    async ({ ctx, query: { search, ...rest } }) => {
      const createdAt = { from: rest.created_at_after, to: rest.created_at_before };
      const filter = { search, createdAt, managed: rest.managed, provider: rest.provider && toProvider(rest.provider) };
      return envelope(await listStoragesByNumber(ctx, { filter, ...numbered(rest) }), rest, wireStorage);
    },
  );
  app.get(
    '/storages/:id/',
    {
      schema: operation({
        id: 'getStorage',
        summary: 'Get Storage',
        tag: 'Storage',
        params: idParams,
        ok: { 200: storage },
        errors: reading,
      }),
    },
    async (request, reply) => {
      const row = await getStorage(request.ctx, request.params.id);
      return sendVersioned(request, reply, row.version, wireStorage(row));
    },
  );
  app.patch(
    '/storages/:id/',
    {
      schema: operation({
        id: 'updateStorage',
        summary: 'Update Storage',
        tag: 'Storage',
        params: idParams,
        body: change,
        ok: { 200: storage },
        errors: writing,
      }),
    },
    async (request, reply) => {
      const { provider, bucket, managed, ...input } = request.body;
      const fixed = { provider: provider && toProvider(provider), bucket, managed };
      const row = await updateStorage(request.ctx, request.params.id, { ...input, expectedVersion: expectedVersion(request) }, fixed);
      return sendVersioned(request, reply, row.version, wireStorage(row));
    },
  );
  for (const [path, id] of [
    ['test-credential', 'testCredential'],
    ['test_credential', 'testCredentialUnderscore'],
  ] as const) {
    app.get(
      `/storages/:id/${path}/`,
      {
        schema: operation({
          id,
          summary: 'Test Credential',
          tag: 'Storage',
          params: idParams,
          ok: { 200: tested, 400: refused },
          errors: reading,
        }),
      },
      async ({ ctx, params: { id } }, reply) => {
        const found = await testStoredCredential(ctx, id);
        const checks = found.map(({ latencyMs, ...rest }) => ({ ...rest, latency_ms: latencyMs }));
        const failed = checks.find(({ ok }) => !ok);
        return failed ? reply.status(400).send({ success: false, detail: failed.detail, checks }) : { success: true, checks };
      },
    );
  }
};
