import { Readable } from 'node:stream';
import { DataStore, Upload } from '@tus/utils';
import type { RequestContext } from '../context.js';
import { invalid } from '../errors.js';
import { appendBytes, getOrderedUpload, type OrderedUpload } from './append.service.js';
import { completeUpload } from './complete.service.js';
import { abortUpload, createUpload } from './upload.service.js';

const HOUR = 60 * 60 * 1000;

/** Uploads as one request of tus sees them: what the protocol calls a store are the services that every door calls. */
export class TusStore extends DataStore {
  constructor(private readonly ctx: RequestContext) {
    super();
    this.extensions = ['creation', 'creation-with-upload', 'expiration', 'termination'];
  }

  /** Its id is ours, not the library's. */
  override async create(upload: Upload): Promise<Upload> {
    const { document, filename, name, filetype, type, sha256 } = upload.metadata ?? {};
    if (!document) throw invalid('metadata', 'name the document in Upload-Metadata, as `document`');
    const announced = { documentId: document, name: filename ?? name ?? '', size: upload.size ?? 0, contentType: filetype ?? type, sha256 };
    const row = await createUpload(this.ctx, announced, { inOrder: true });
    upload.id = row.id;
    upload.creation_date = row.createdAt.toISOString();
    if (row.size === 0n) await this.write(Readable.from([]), row.id, 0);
    return upload;
  }

  /**
   * All bytes sent means to a client that its file is safe. So an upload that has come to its end is only told of once it
   * is verified; whoever asks earlier has that done, or hears why it failed.
   */
  override async getUpload(id: string): Promise<Upload> {
    const row = await getOrderedUpload(this.ctx, id);
    if (row.state !== 'OPEN' || isWhole(row)) await completeUpload(this.ctx, id);
    return new Upload({
      id,
      size: Number(row.size),
      offset: Number(row.received),
      metadata: metadataOf(row),
      creation_date: row.createdAt.toISOString(),
    });
  }

  /** The last byte is answered with what became of the file: until then the request holds the upload. */
  override async write(body: Readable, id: string, offset: number): Promise<number> {
    const upload = await appendBytes(this.ctx, id, offset, body);
    if (isWhole(upload)) await completeUpload(this.ctx, id);
    return Number(upload.received);
  }

  override async remove(id: string): Promise<void> {
    await abortUpload(this.ctx, id);
  }

  override getExpiration(): number {
    return this.ctx.services.limits.uploadHours * HOUR;
  }
}

const isWhole = ({ received, size }: OrderedUpload) => received === size;

const metadataOf = ({ documentId, name, declaredType, sha256 }: OrderedUpload) => ({
  document: documentId,
  filename: name,
  ...(declaredType && { filetype: declaredType }),
  ...(sha256 && { sha256 }),
});
