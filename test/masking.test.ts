import { describe, expect, test } from 'vitest';
import { useLimits } from './limits.world.js';

const { world, post, admin, objects } = useLimits();

describe('a fault', () => {
  const secret = 'postgres://admin:hunter2@db.internal/docgate';

  test('shows its request id and nothing else, and is logged once', async () => {
    const { gateway, logs } = world();
    const { open } = gateway.services.blobs;
    gateway.services.blobs.open = () => {
      throw new Error(`cannot reach ${secret}`);
    };
    logs.length = 0;
    const query = `mutation { testCredential(input: { storageId: "${objects().storage.id}" }) { __typename } }`;
    const response = await post({ query }, { 'x-request-id': 'the-request-of-a-fault' });
    gateway.services.blobs.open = open;
    expect(response.json()).toMatchObject({
      data: null,
      errors: [{ path: ['testCredential'], extensions: { code: 'INTERNAL', requestId: 'the-request-of-a-fault' } }],
    });
    expect(response.headers['x-request-id']).toBe('the-request-of-a-fault');
    expect(response.body).not.toMatch(/hunter2|node_modules|Error:| at /);
    const faults = logs.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50);
    expect(faults).toMatchObject([{ msg: 'fault', reqId: 'the-request-of-a-fault', err: { message: expect.stringContaining('hunter2') } }]);
  });

  test('that is expected is none: it is not logged as one', async () => {
    const { logs, graphql } = world();
    logs.length = 0;
    await graphql(admin(), 'mutation { createCategory(input: { name: "" }) { __typename } }');
    await graphql(admin(), '{ nonsense }');
    await graphql(null, '{ documents { totalCount } }');
    await graphql(admin(), '{ documents(first: 1000) { totalCount } }');
    expect(logs.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40)).toEqual([]);
  });

  test('never brings a secret into the logs', async () => {
    const { logs, graphql, inject } = world();
    logs.length = 0;
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const input = { documentId: objects().document.id, expiresAt, password: 'open sesame' };
    const { data } = await graphql(
      admin(),
      'mutation ($input: ShareDocumentInput!) { shareDocument(input: $input) { ... on Share { token } } }',
      { input },
    );
    const { token } = data.shareDocument;
    await graphql(null, `{ sharePreview(token: "${token}", password: "open sesame") { __typename } }`);
    await graphql(null, `{ sharePreview(token: "${token}", password: "wrong") { __typename } }`);
    await inject(null, { method: 'GET', url: `/s/${token}/files/${objects().file.id}` });
    await inject(null, { method: 'GET', url: `/files/${objects().file.id}?token=signature-of-a-link` });
    await inject(null, { method: 'GET', url: `/s/${token}/nowhere` });
    const text = logs.join('');
    expect(text).toContain('"route"');
    for (const secret of [token, 'sesame', admin().token, 'signature-of-a-link', 'eyJ']) expect(text).not.toContain(secret);
  });
});
