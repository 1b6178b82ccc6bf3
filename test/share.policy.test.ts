import { beforeAll, describe, expect, test } from 'vitest';
import { createObjects, type Objects } from './objects.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld();
let editor: Actor;
let other: Objects;

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
const objects = () => createObjects(() => world().context(editor));

beforeAll(async () => {
  editor = world().actor('admin');
  other = await objects();
});

const fields = 'id token version notBefore watermark fileIds maxDownloads allowDownload status';
const answer = `__typename ... on Share { ${fields} } ... on ValidationError { fields { path message } } ... on Error { code }`;

async function mutate(name: string, type: string, input: object) {
  const { data } = await world().graphql(editor, `mutation ($input: ${type}!) { ${name}(input: $input) { ${answer} } }`, { input });
  return data[name];
}
const share = (input: object) => mutate('shareDocument', 'ShareDocumentInput', { expiresAt: inDays(7), ...input });
const update = (input: object) => mutate('updateShare', 'UpdateShareInput', input);

async function preview(token: string) {
  const query = `{ sharePreview(token: "${token}") { __typename ... on SharePreview { files { name } }
    ... on ShareGoneError { code reason opensAt } ... on Error { message } } }`;
  return (await world().graphql(null, query)).data.sharePreview;
}
const rest = async (url: string) => {
  const { statusCode, body } = await world().inject(null, { url });
  return { status: statusCode, body: body.startsWith('{') ? JSON.parse(body) : body };
};

describe('the policy of a share', () => {
  test('is what was asked for, and by default everything at once', async () => {
    const { document, file } = await objects();
    const policy = { notBefore: inDays(1), watermark: 'For the notary', fileIds: [file.id], maxDownloads: 3, allowDownload: false };
    expect(await share({ documentId: document.id, ...policy })).toMatchObject({ ...policy, status: 'NOT_YET' });
    expect(await share({ documentId: document.id })).toMatchObject({ notBefore: null, watermark: '', fileIds: [], status: 'ACTIVE' });
  });

  test.each<[title: string, input: (of: Objects) => object, path: string]>([
    ['opens after it expires', () => ({ notBefore: inDays(8) }), 'notBefore'],
    ['opens when it expires', ({ share: { expiresAt } }) => ({ notBefore: expiresAt, expiresAt }), 'notBefore'],
    ['a watermark of two lines', () => ({ watermark: 'a\nb' }), 'watermark'],
    ['a long watermark', () => ({ watermark: 'x'.repeat(101) }), 'watermark'],
    ['a file of another document', () => ({ fileIds: [other.file.id] }), 'fileIds.0'],
    ['a file that does not exist', ({ file }) => ({ fileIds: [file.id, '01JAAAAAAAAAAAAAAAAAAAAAAA'] }), 'fileIds.1'],
    ['a file twice', ({ file }) => ({ fileIds: [file.id, file.id] }), 'fileIds'],
    ['what is no id', () => ({ fileIds: ['x'] }), 'fileIds.0'],
    ['too many files', () => ({ fileIds: Array.from({ length: 101 }, (_, n) => `FILE-00000${n}`) }), 'fileIds'],
  ])('%s: refused, when it is made and when it is changed', async (_, input, path) => {
    const of = await objects();
    const refusal = { __typename: 'ValidationError', code: 'VALIDATION_FAILED', fields: [expect.objectContaining({ path })] };
    expect(await share({ documentId: of.document.id, ...input(of) })).toMatchObject(refusal);
    expect(await update({ id: of.share.id, expiresAt: inDays(7), ...input(of) })).toMatchObject(refusal);
  });

  test('an expiry that falls behind the opening it has already: refused', async () => {
    const { document } = await objects();
    const { id } = await share({ documentId: document.id, notBefore: inDays(3) });
    expect(await update({ id, expiresAt: inDays(2) })).toMatchObject({ __typename: 'ValidationError', fields: [{ path: 'notBefore' }] });
    expect(await update({ id, expiresAt: inDays(2), notBefore: null })).toMatchObject({ __typename: 'Share', notBefore: null });
  });

  test('is in the history of the document', async () => {
    const { document, file } = await objects();
    const { id } = await share({ documentId: document.id, watermark: 'W' });
    await update({ id, watermark: '', fileIds: [file.id] });
    const { data } = await world().graphql(
      editor,
      `{ document(id: "${document.id}") { history(first: 2) { nodes { action before after } } } }`,
    );
    expect(data.document.history.nodes).toMatchObject([
      { action: 'share.updated', before: { watermark: 'W', fileIds: [] }, after: { watermark: '', fileIds: [file.id] } },
      { action: 'share.created', after: { watermark: 'W' } },
    ]);
  });

  test('over REST: with expand=policy, and set by the same names', async () => {
    const { document, file } = await objects();
    const send = (method: 'POST' | 'PATCH' | 'GET', url: string, payload?: object) => world().inject(editor, { method, url, payload });
    const policy = { not_before: '2026-01-01T00:00:00.000000Z', watermark: 'W', files: [file.id] };
    const path = `/documents/${document.id}/shares/`;
    const made = (await send('POST', `${path}?expand=policy`, { expires_at: inDays(7), ...policy })).json();
    expect(made).toMatchObject({ ...policy, allow_download: true });
    expect(Object.keys((await send('GET', `${path}${made.id}/`)).json())).toHaveLength(9);
    const changed = await send('PATCH', `${path}${made.id}/?expand=policy`, { not_before: null, watermark: '', files: [] });
    expect(changed.json()).toMatchObject({ not_before: null, watermark: '', files: [] });
    const refused = await send('PATCH', `${path}${made.id}/`, { files: [other.file.id] });
    expect([refused.statusCode, refused.json()]).toEqual([400, { files: ['is not a file of this document'] }]);
  });
});

describe('what a share shows', () => {
  async function twoFiles() {
    const { document } = await objects();
    const upload = await world().upload(editor, document.id, [{ name: 'b.txt', body: 'bbb' }]);
    if (upload.__typename !== 'UploadedFiles') throw new Error(upload.__typename);
    return { document, b: upload.files[0]?.id ?? '' };
  }

  test('is the selection, at once when it changes, on every door', async () => {
    const { document, b } = await twoFiles();
    const { id, token } = await share({ documentId: document.id });
    expect(await preview(token)).toMatchObject({ files: [{ name: 'a.txt' }, { name: 'b.txt' }] });
    const [a] = (await rest(`/documents/preview/${token}/`)).body.files;
    await update({ id, fileIds: [b] });
    expect(await preview(token)).toMatchObject({ files: [{ name: 'b.txt' }] });
    expect((await rest(`/documents/preview/${token}/`)).body.files).toMatchObject([{ name: 'b.txt' }]);
    expect((await rest(`/s/${token}/files/${a.id}`)).status).toBe(404);
    expect((await rest(`/s/${token}/files/${b}`)).status).toBe(200);
  });

  test('is nothing before its time: NOT_YET and when, 403 over REST', async () => {
    const { document, file } = await objects();
    const notBefore = inDays(1);
    const { id, token } = await share({ documentId: document.id, notBefore });
    expect(await preview(token)).toMatchObject({ __typename: 'ShareGoneError', code: 'NOT_YET', reason: 'NOT_YET', opensAt: notBefore });
    for (const url of [`/documents/preview/${token}/`, `/s/${token}/files/${file.id}`]) {
      expect(await rest(url)).toMatchObject({ status: 403, body: { code: 'not_yet' } });
    }
    await update({ id, notBefore: null });
    expect(await preview(token)).toMatchObject({ __typename: 'SharePreview' });
  });

  test('never widens: a selection whose files are gone shows nothing', async () => {
    const { document, b } = await twoFiles();
    const { token } = await share({ documentId: document.id, fileIds: [b] });
    await world().graphql(editor, `mutation { deleteFile(input: { id: "${b}" }) { __typename } }`);
    expect(await preview(token)).toMatchObject({ code: 'GONE', reason: 'FILE_UNAVAILABLE' });
    expect((await rest(`/documents/preview/${token}/`)).status).toBe(410);
    expect((await rest(`/s/${token}/files/${b}`)).status).toBe(410);
  });
});
