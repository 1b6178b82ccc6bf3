import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  ApproveDocument,
  CreateCategoryDocument,
  CreateDocumentDocument,
  DocumentHistoryDocument,
  ShareDocumentDocument,
  SharePreviewDocument,
} from './generated/graphql.js';
import { statementsOf, useWorld } from './world.js';

const world = useWorld();
const bytes = Buffer.from('%PDF-1.4\nthe bytes of a passport\n%%EOF');
const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();

/** The member of a result union that a test expects; fails with the error that came instead. */
function as<Type extends string, Result extends { __typename: string }>(type: Type, result: Result): Extract<Result, { __typename: Type }> {
  expect(result).toMatchObject({ __typename: type });
  return result as Extract<Result, { __typename: Type }>; // Just asserted.
}

describe('the main job', () => {
  test('file, review, share, open without a token, download the same bytes', async () => {
    const { actor, execute, upload, inject } = world();
    const editor = actor('editor');
    const reviewer = actor('reviewer', editor.tenantId);

    const { createCategory } = await execute(editor, CreateCategoryDocument, { input: { name: 'KYC' } });
    const category = as('Category', createCategory);
    const { createDocument } = await execute(editor, CreateDocumentDocument, {
      input: { name: 'Passport', categoryId: category.id, tags: ['kyc'] },
    });
    const { id } = as('Document', createDocument);
    expect(createDocument).toMatchObject({ status: 'PENDING', category: { name: 'KYC' } });

    const { files } = as('UploadedFiles', await upload(editor, id, [{ name: 'größe.pdf', body: bytes, type: 'application/pdf' }]));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(files).toMatchObject([{ name: 'größe.pdf', size: bytes.length, contentType: 'application/pdf', sha256, state: 'READY' }]);

    const { approve } = await execute(reviewer, ApproveDocument, { input: { id } });
    expect(approve).toMatchObject({ status: 'APPROVED', reviewedBy: reviewer.userId });

    const { shareDocument } = await execute(editor, ShareDocumentDocument, { input: { documentId: id, expiresAt: tomorrow() } });
    const { sharePreview } = await execute(null, SharePreviewDocument, { token: as('Share', shareDocument).token });
    const preview = as('SharePreview', sharePreview);
    expect(preview.document).toEqual({ name: 'Passport', status: 'APPROVED' });

    const { pathname } = new URL(preview.files[0]?.downloadUrl ?? '');
    const download = await inject(null, { method: 'GET', url: pathname });
    expect(download.rawPayload.equals(bytes)).toBe(true);

    const { document } = await execute(editor, DocumentHistoryDocument, { id });
    expect(document?.history.nodes.map((event) => event.action)).toEqual([
      'share.opened',
      'share.created',
      'document.approved',
      'file.uploaded',
      'document.created',
    ]);
  });

  test('a page with everything below it takes as many statements for 20 documents as for 1', async () => {
    const { actor, execute, graphql } = world();
    const admin = actor('admin');
    const { createCategory } = await execute(admin, CreateCategoryDocument, { input: { name: 'KYC' } });
    const categoryId = as('Category', createCategory).id;
    const query = `{ documents(first: 20) { totalCount nodes {
      category { ancestors { id } } storage { id } files { id } shares { nodes { id } } history { nodes { id } } } } }`;
    const count = async () => (await statementsOf(() => graphql(admin, query))).statements.length;
    await execute(admin, CreateDocumentDocument, { input: { name: 'D', categoryId } });
    const one = await count();
    for (let index = 0; index < 19; index++) await execute(admin, CreateDocumentDocument, { input: { name: 'D', categoryId } });
    expect(await count()).toBe(one);
    expect(one).toBe(7);
  });
});
