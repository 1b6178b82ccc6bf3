import { authorize } from '../auth/policy.js';
import type { BlobStore } from '../blob/store.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { File as FileRow } from '../db/generated/client.js';
import { newId } from '../db/id.js';
import { newRow } from '../db/rows.js';
import type { CreateDocumentInput } from '../document/document.input.js';
import { type DocumentPlan, type DocumentRow, insertDocument, planDocument, planStorage } from '../document/document.service.js';
import { FileInfectedError, invalid, unavailable } from '../errors.js';
import { storageById } from '../storage/storage.loader.js';
import { storeOf } from '../storage/storage.service.js';
import { canWriteFiles } from './file.policy.js';
import type { Inspection } from './inspect.js';
import { fileName, inspectWhile, keptType, recordUpload } from './intake.js';
import { dropObject, type ExpectedObject, expectObject, keepExpecting, keepObject } from './removal.service.js';
import { type IncomingFile, tooManyFiles } from './upload.service.js';

/** A file whose bytes are in the store, while its document is not there yet. */
interface Arrived {
  object: ExpectedObject;
  name: string;
  declaredType: string;
  inspection: Inspection;
}

type Within = (tx: RequestContext, document: DocumentRow, files: FileRow[]) => Promise<void>;

/**
 * Adds a document together with its files, of which there may be none: all of it or nothing. While the bytes arrive there
 * is no row to own them, so that each object is noted before it is written: a crash leaves notes, which the sweeper
 * follows. A file with a virus is not kept: there is no document whose evidence it could be.
 *
 * @param describe what is known of the document; more may become known while files arrive, but for their storage
 * @param within runs last in the transaction that makes document and files visible
 */
export async function createDocumentWithFiles(
  ctx: RequestContext,
  describe: () => Partial<CreateDocumentInput>,
  files: AsyncIterable<IncomingFile>,
  within?: Within,
): Promise<{ document: DocumentRow; files: FileRow[] }> {
  authorize(ctx, canWriteFiles);
  const id = newId();
  const storageId = await planStorage(ctx, describe());
  const storage = await storageById(ctx).load(storageId);
  if (!storage) throw new Error(`storage ${storageId} is not there`);
  const store = await storeOf(ctx, storage);
  const objects: ExpectedObject[] = [];
  const noteIds: string[] = [];
  const release = keepExpecting(ctx, noteIds);
  const expect = async () => {
    const object = await expectObject(ctx, { storageId, objectKey: `${id}/${newId()}` });
    objects.push(object);
    noteIds.push(object.removalId);
    return object;
  };
  try {
    const arrived: Arrived[] = [];
    for await (const file of files) {
      if (arrived.length >= ctx.services.limits.maxFiles) throw tooManyFiles(ctx);
      const name = fileName(file.name, `files.${arrived.length}.name`);
      arrived.push(await receive(ctx, store, { ...file, name }, await expect()));
    }
    return await publish(ctx, { ...(await planWhole(ctx, describe(), storageId)), id }, arrived, within);
  } catch (error) {
    await dropAll(ctx, store, objects);
    throw error;
  } finally {
    release();
  }
}

/** @throws VALIDATION_FAILED when only now another storage is named: the files are in this one */
async function planWhole(ctx: RequestContext, raw: Partial<CreateDocumentInput>, storageId: string): Promise<DocumentPlan> {
  const plan = await planDocument(ctx, { ...raw, storageId: raw.storageId ?? storageId });
  if (plan.storageId !== storageId) throw invalid('storageId', 'must come before the files');
  return plan;
}

async function receive(ctx: RequestContext, store: BlobStore, file: IncomingFile, object: ExpectedObject): Promise<Arrived> {
  const { name } = file;
  const declaredType = keptType(file.declaredType);
  const inspection = await inspectWhile(ctx, file.open(), { declaredType }, (stream) => store.put(object.objectKey, stream));
  if (inspection.scan?.verdict === 'INFECTED') {
    ctx.log.warn({ name, signature: inspection.scan.signature }, 'an infected file of a new document was refused');
    throw new FileInfectedError(name, false);
  }
  return { object, name, declaredType, inspection };
}

function publish(ctx: RequestContext, plan: DocumentPlan, arrived: Arrived[], within?: Within) {
  return inTransaction(ctx, async (tx) => {
    const document = await insertDocument(tx, plan);
    const files: FileRow[] = [];
    for (const one of arrived) {
      const file = await insertFile(tx, document, one);
      await recordUpload(tx, file, one.inspection, document, document);
      files.push(file);
    }
    await within?.(tx, document, files);
    return { document, files };
  });
}

async function insertFile(
  tx: RequestContext,
  document: DocumentRow,
  { object, name, declaredType, inspection }: Arrived,
): Promise<FileRow> {
  if (!(await keepObject(tx, object))) throw unavailable('The upload took so long that it was given up. Send it again.');
  const { size, sha256, contentType } = inspection;
  const { storageId, objectKey } = object;
  const found = { size, sha256, contentType, state: 'READY' as const };
  return tx.db.file.create({ data: { ...newRow(tx), documentId: document.id, storageId, objectKey, name, declaredType, ...found } });
}

/** The sweeper does what this leaves. */
async function dropAll(ctx: RequestContext, store: BlobStore, objects: ExpectedObject[]): Promise<void> {
  try {
    for (const object of objects) await dropObject(ctx, store, object);
  } catch (error) {
    ctx.log.warn({ err: error }, 'could not clean up after a document that was not created; the sweeper will');
  }
}
