import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { CategoryRow } from '../src/category/category.service.js';
import { createCategory } from '../src/category/category.service.js';
import type { RequestContext } from '../src/context.js';
import { newId } from '../src/db/id.js';
import { createDocument, type DocumentRow, deleteDocument } from '../src/document/document.service.js';
import type { FileRow } from '../src/file/file.service.js';
import { expectObject } from '../src/file/removal.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { type MoveRow, moveStorage } from '../src/move/move.service.js';
import { openSharedPreview } from '../src/share/open.service.js';
import { countAttempt } from '../src/share/share.limiter.js';
import { type ShareRow, shareDocument } from '../src/share/share.service.js';
import { openToken } from '../src/share/share.token.js';
import { createStorage, type StorageRow } from '../src/storage/storage.service.js';
import { createUpload, type UploadRow } from '../src/upload/upload.service.js';

const DAY = 24 * 60 * 60 * 1000;

/** One of everything that a tenant can have. */
export interface Objects {
  storage: StorageRow;
  category: CategoryRow;
  /** Filed in the category, kept in the storage, with the file and the share. */
  document: DocumentRow;
  file: FileRow;
  share: ShareRow;
  /** A document in the trash. */
  trashed: DocumentRow;
  /** Another document of the category, in the default storage; on its way to the storage. */
  elsewhere: DocumentRow;
  move: MoveRow;
  /** On its way to that other document. */
  upload: UploadRow;
}

/** Files as a service takes them. */
export async function* incoming(...files: { name: string; bytes: Buffer | string; type?: string }[]) {
  for (const { name, bytes, type = 'application/octet-stream' } of files) {
    yield { name, declaredType: type, open: () => Readable.from([Buffer.from(bytes)]) };
  }
}

/** @param context a new one for each act, as each request has */
export async function createObjects(context: () => RequestContext): Promise<Objects> {
  const bucket = `b${randomBytes(8).toString('hex')}`;
  const storage = await createStorage(context(), { name: 'Storage', provider: 'LOCAL_FS', bucket, credentials: {} });
  const root = await createCategory(context(), { name: 'Root' });
  const category = await createCategory(context(), { name: 'Category', parentId: root.id });
  await createCategory(context(), { name: 'Child', parentId: category.id });
  const input = { categoryId: category.id, storageId: storage.id, tags: ['tag'] };
  const { id } = await createDocument(context(), { ...input, name: 'Document' });
  const uploaded = await uploadFiles(context(), id, incoming({ name: 'a.txt', bytes: 'the bytes' }));
  const share = await shareDocument(context(), id, { expiresAt: new Date(Date.now() + DAY) });
  const { id: trash } = await createDocument(context(), { ...input, name: 'Trashed' });
  const trashed = await deleteDocument(context(), trash, {});
  const elsewhere = await createDocument(context(), { name: 'Elsewhere', categoryId: category.id });
  const move = await moveStorage(context(), { toStorageId: storage.id, documentIds: [elsewhere.id] });
  await expectObject(context(), { storageId: storage.id, objectKey: 'expected' });
  const upload = await createUpload(context(), { documentId: elsewhere.id, name: 'b.txt', size: 5 });
  const [file] = uploaded.files;
  if (!file) throw new Error('nothing was uploaded');
  const { tenantId, createdAt } = file;
  await context().db.preview.create({ data: { tenantId, id: file.id, createdAt, pageCount: 1 } });
  const rendition = { tenantId, id: newId(), createdAt, fileId: file.id, storageId: storage.id };
  await context().db.rendition.create({ data: { ...rendition, page: 1, width: 640, objectKey: 'none', failure: 'BROKEN' } });
  await openSharedPreview(context(), openToken(context(), share), file.id);
  await countAttempt(context(), share);
  return { storage, category, document: uploaded.document, file, share, trashed, elsewhere, move, upload };
}
