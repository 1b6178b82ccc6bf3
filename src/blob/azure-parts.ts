import type { Readable } from 'node:stream';
import { BlobSASPermissions } from '@azure/storage-blob';
import { type AzureContainer, azureFault, blobOf, failAsAzure } from './azure-client.js';
import { signBlob } from './azure-sign.js';
import { contentTypeOf, nameOfUpload, newUploadId } from './noted-uploads.js';
import type { MultipartUploads, PartInfo, SignedRequest } from './store.js';
import { sendExactly, sending } from './streams.js';

const MiB = 1024 ** 2;

/*
 * Azure knows no uploads, only blocks that wait at a blob until a list of them is committed; those that are not are
 * dropped after a week.
 */
export function azureParts(place: AzureContainer): MultipartUploads {
  return {
    limits: { minSize: 1, maxSize: 4000 * MiB, maxParts: 50_000 },
    create: async (_, options) => newUploadId(options?.contentType),
    putPart: (key, uploadId, number, body, { size, signal }) =>
      sending(body, signal, azureFault, () => putPart(place, key, blockId(uploadId, number), number, body, size)),
    presignPart: async (key, uploadId, number, { expiresIn }) => presignPart(place, key, blockId(uploadId, number), expiresIn),
    listParts: (key, uploadId) => listParts(place, key, uploadId),
    complete: (key, uploadId, parts) => complete(place, key, uploadId, parts),
    abort: (key) => abort(place, key),
  };
}

/** All block names of a blob must have the same length. */
const blockId = (uploadId: string, number: number) =>
  Buffer.from(`${nameOfUpload(uploadId)}.${String(number).padStart(5, '0')}`).toString('base64');

function putPart(place: AzureContainer, key: string, id: string, number: number, body: Readable, size: number): Promise<PartInfo> {
  return sendExactly(body, { size, patience: place.patience.transfer }, async (exact, abortSignal) => {
    await blobOf(place, key).stageBlock(id, () => exact, size, { abortSignal });
    return { number, size, etag: id };
  });
}

function presignPart(place: AzureContainer, key: string, id: string, expiresIn: number): SignedRequest {
  const { url, expiresAt } = signBlob(place, key, { permissions: BlobSASPermissions.parse('cw') }, expiresIn);
  return { method: 'PUT', url: `${url}&comp=block&blockid=${encodeURIComponent(id)}`, headers: {}, expiresAt };
}

async function listParts(place: AzureContainer, key: string, uploadId: string): Promise<PartInfo[]> {
  const start = `${nameOfUpload(uploadId)}.`;
  const found = (await waitingBlocks(place, key)).flatMap(({ name, size }) => {
    const text = Buffer.from(name, 'base64').toString();
    return text.startsWith(start) ? [{ number: Number(text.slice(start.length)), size, etag: name }] : [];
  });
  return found.sort((a, b) => a.number - b.number);
}

async function waitingBlocks(place: AzureContainer, key: string): Promise<{ name: string; size: number }[]> {
  const list = await blobOf(place, key)
    .getBlockList('uncommitted')
    .catch((error: unknown) => {
      const fault = azureFault(error);
      if (fault.reason === 'NOT_FOUND') return null;
      throw fault;
    });
  return list?.uncommittedBlocks ?? [];
}

async function complete(place: AzureContainer, key: string, uploadId: string, parts: PartInfo[]): Promise<void> {
  const names = parts.map(({ number }) => blockId(uploadId, number));
  const blobHTTPHeaders = { blobContentType: contentTypeOf(uploadId) };
  await blobOf(place, key)
    .commitBlockList(names, { blobHTTPHeaders, conditions: { ifNoneMatch: '*' } })
    .catch(failAsAzure);
}

/** Blocks cannot be deleted; but committing none of them drops all, and the empty blob that this makes can be. */
async function abort(place: AzureContainer, key: string): Promise<void> {
  if ((await waitingBlocks(place, key)).length === 0) return;
  try {
    const { etag } = await blobOf(place, key).commitBlockList([], { conditions: { ifNoneMatch: '*' } });
    await blobOf(place, key).delete({ conditions: { ifMatch: etag } });
  } catch (error) {
    const fault = azureFault(error);
    // An object that was completed stays; its blocks are not ours to drop.
    if (fault.reason !== 'ALREADY_EXISTS' && fault.reason !== 'NOT_FOUND') throw fault;
  }
}
