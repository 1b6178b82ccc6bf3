import {
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { clientOf, makeUserWith, radosgw, storageRights } from './radosgw.js';
import { documented, newName, useManaged } from './storage.managed.world.js';

const { world, post } = useManaged();

describe.runIf(radosgw)('D: "True: the gateway creates the bucket and applies `config` to it", at S3', () => {
  const { admin } = radosgw ?? { admin: {} as never }; // the block does not run without one
  const storage = (bucket: string, config: object) => ({
    name: 'M',
    provider: 'aws_s3',
    bucket,
    managed: true,
    credentials: admin,
    config,
  });
  const read = async (bucket: string) => {
    const client = clientOf(admin);
    const Bucket = bucket;
    const orNull = <T>(promise: Promise<T>) => promise.catch(() => null);
    const [tags, cors, lifecycle, versioning] = await Promise.all([
      orNull(client.send(new GetBucketTaggingCommand({ Bucket }))),
      orNull(client.send(new GetBucketCorsCommand({ Bucket }))),
      orNull(client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))),
      orNull(client.send(new GetBucketVersioningCommand({ Bucket }))),
    ]).finally(() => client.destroy());
    return {
      tags: tags?.TagSet ?? [],
      origins: cors?.CORSRules?.flatMap(({ AllowedOrigins }) => AllowedOrigins) ?? [],
      days: lifecycle?.Rules?.map(({ Expiration }) => Expiration?.Days) ?? [],
      versioning: versioning?.Status ?? null,
    };
  };

  test('a new bucket has all of it; a change applies the difference, what is left out goes', async () => {
    const actor = world().actor('admin');
    const bucket = newName();
    const made = await post(actor, storage(bucket, documented));
    expect({ status: made.statusCode, body: made.json() }).toMatchObject({ status: 201, body: { managed: true, config: documented } });
    expect(await read(bucket)).toEqual({
      tags: [{ Key: 'team', Value: 'kyc' }],
      origins: ['https://app.example.com'],
      days: [7],
      versioning: 'Enabled',
    });
    const config = { Tags: [{ Key: 'team', Value: 'loans' }], VersioningConfiguration: { Status: 'Suspended' } };
    const changed = await world().inject(actor, { method: 'PATCH', url: `/storages/${made.json().id}/`, payload: { config } });
    expect({ status: changed.statusCode, config: changed.json().config }).toEqual({ status: 200, config });
    expect(await read(bucket)).toEqual({ tags: [{ Key: 'team', Value: 'loans' }], origins: [], days: [], versioning: 'Suspended' });
  });

  test('an empty bucket is taken over, one with objects is refused and left as it is', async () => {
    const actor = world().actor('admin');
    const bucket = newName();
    const { id } = (await post(actor, storage(bucket, {}))).json();
    expect((await post(actor, storage(bucket, documented))).statusCode).toBe(201);
    const document = (await world().inject(actor, { method: 'POST', url: '/documents/', payload: { name: 'D', storage: id } })).json();
    await world().upload(actor, document.id, [{ name: 'a', body: 'a' }]);
    const refused = await post(actor, storage(bucket, {}));
    expect({ status: refused.statusCode, body: refused.json() }).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('holds objects') },
    });
    expect((await read(bucket)).tags).toEqual([{ Key: 'team', Value: 'kyc' }]);
  });

  test('an object lock cannot be given later', async () => {
    const actor = world().actor('admin');
    const made = (await post(actor, storage(newName(), {}))).json();
    const config = { ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled' } };
    const answer = await world().inject(actor, { method: 'PATCH', url: `/storages/${made.id}/`, payload: { config } });
    expect({ status: answer.statusCode, body: answer.json() }).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('Create another storage') },
    });
  });

  test.each([
    ['s3:PutObject', ['write']],
    ['s3:GetObject', ['read a range']],
    ['s3:ListBucket', ['list']],
    ['s3:DeleteObject', ['delete']],
  ])('whoever lacks %s fails exactly that step of test-credential', async (missing, failed) => {
    const actor = world().actor('admin');
    const bucket = newName();
    const { id } = (await post(actor, storage(bucket, {}))).json();
    const credentials = await makeUserWith(
      storageRights.filter((right) => right !== missing),
      bucket,
    );
    const patched = await world().inject(actor, { method: 'PATCH', url: `/storages/${id}/`, payload: { credentials } });
    expect(patched.statusCode).toBe(200);
    const answer = await world().inject(actor, { url: `/storages/${id}/test-credential/` });
    expect(answer.statusCode).toBe(400);
    const checks: { name: string; ok: boolean }[] = answer.json().checks;
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(failed);
  });
});
