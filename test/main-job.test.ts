import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { graphqlUpload } from './multipart.js';
import { statementsOf, useWorld } from './world.js';

const world = useWorld();
const bytes = Buffer.from('%PDF-1.4\nthe bytes of a passport\n%%EOF');

describe('the main job', () => {
  test('file, review, share, open without a token, download the same bytes', async () => {
    const { actor, graphql, inject } = world();
    const editor = actor('editor');
    const reviewer = actor('reviewer', editor.tenantId);

    const category = await graphql(editor, 'mutation { createCategory(input: { name: "KYC" }) { ... on Category { id } } }');
    const created = await graphql(
      editor,
      `mutation ($category: ID!) { createDocument(input: { name: "Passport", categoryId: $category, tags: ["kyc"] }) { ... on Document { id status } } }`,
      { category: category.data.createCategory.id },
    );
    const { id, status } = created.data.createDocument;
    expect(status).toBe('PENDING');

    const upload = `mutation ($id: ID!, $files: [Upload!]!) { uploadFiles(input: { documentId: $id, files: $files }) {
      ... on UploadedFiles { files { id name size sha256 contentType } } ... on Error { message } } }`;
    const uploaded = await inject(editor, graphqlUpload(upload, { id }, [{ name: 'größe.pdf', body: bytes, type: 'application/pdf' }]));
    const [file] = uploaded.json().data.uploadFiles.files;
    expect(file).toMatchObject({
      name: 'größe.pdf',
      size: bytes.length,
      contentType: 'application/pdf',
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });

    const approved = await graphql(
      reviewer,
      `mutation ($id: ID!) { approve(input: { id: $id }) { ... on Document { status reviewedBy } } }`,
      { id },
    );
    expect(approved.data.approve).toEqual({ status: 'APPROVED', reviewedBy: reviewer.userId });

    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const share = await graphql(
      editor,
      `mutation ($id: ID!, $expiresAt: DateTime!) { shareDocument(input: { documentId: $id, expiresAt: $expiresAt }) { ... on Share { token } } }`,
      { id, expiresAt },
    );
    const preview = await graphql(
      null,
      `query ($token: String!) { sharePreview(token: $token) { ... on SharePreview { document { name } files { downloadUrl } } } }`,
      { token: share.data.shareDocument.token },
    );
    expect(preview.data.sharePreview.document.name).toBe('Passport');
    const { pathname } = new URL(preview.data.sharePreview.files[0].downloadUrl);
    const download = await inject(null, { method: 'GET', url: pathname });
    expect(download.rawPayload.equals(bytes)).toBe(true);
  });

  test('a page with everything below it takes as many statements for 20 documents as for 1', async () => {
    const { actor, graphql } = world();
    const admin = actor('admin');
    const category = await graphql(admin, 'mutation { createCategory(input: { name: "KYC" }) { ... on Category { id } } }');
    const create = 'mutation ($category: ID!) { createDocument(input: { name: "D", categoryId: $category }) { ... on Document { id } } }';
    const query = `{ documents(first: 20) { totalCount nodes { category { ancestors { id } } storage { id } files { id } shares { nodes { id } } history { nodes { id } } } } }`;
    const count = async () => (await statementsOf(() => graphql(admin, query))).statements.length;
    await graphql(admin, create, { category: category.data.createCategory.id });
    const one = await count();
    for (let index = 0; index < 19; index++) await graphql(admin, create, { category: category.data.createCategory.id });
    expect(await count()).toBe(one);
    expect(one).toBe(7);
  });
});
