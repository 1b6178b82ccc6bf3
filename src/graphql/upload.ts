import type { FileUpload } from 'graphql-upload-minimal';
import type { IncomingFile } from '../file/upload.service.js';

export type { FileUpload };

/**
 * The files of a multipart request in the order of their arrival, which need not be the order of the variables:
 * whoever waits for the second while the first is unread waits for ever.
 */
export async function* incomingFiles(uploads: Promise<FileUpload>[]): AsyncGenerator<IncomingFile> {
  const pending = new Map(uploads.map((upload, index) => [index, upload.then((file) => ({ index, file }))]));
  // A request that breaks rejects them all; only the one that is awaited is reported.
  for (const upload of pending.values()) upload.catch(() => {});
  while (pending.size > 0) {
    const { index, file } = await Promise.race(pending.values());
    pending.delete(index);
    yield { name: file.filename, declaredType: file.mimetype, open: () => file.createReadStream() };
  }
}
