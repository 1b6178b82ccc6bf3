import type { FileUpload } from 'graphql-upload-minimal';
import { DomainError, invalid } from '../errors.js';
import type { IncomingFile } from '../file/upload.service.js';

export type { FileUpload };

/** What graphql-upload-minimal finds wrong with a multipart request. All of it is the sender's doing. */
export function multipartFault(error: unknown): DomainError {
  const message = error instanceof Error ? error.message : 'The multipart request cannot be read.';
  const tooMuch = error instanceof Error && 'status' in error && error.status === 413;
  return new DomainError(tooMuch ? 'PAYLOAD_TOO_LARGE' : 'BAD_REQUEST', message);
}

/**
 * The files of a multipart request in the order of their arrival, which need not be the order of the variables:
 * whoever waits for the second while the first is unread waits for ever.
 */
export async function* incomingFiles(uploads: Promise<FileUpload>[]): AsyncGenerator<IncomingFile> {
  if (new Set(uploads).size < uploads.length) throw invalid('files', 'names one part twice; send each file in a part of its own');
  const pending = new Map(uploads.map((upload, index) => [index, upload.then((file) => ({ index, file }))]));
  // A request that breaks rejects them all; only the one that is awaited is reported.
  for (const upload of pending.values()) upload.catch(() => {});
  while (pending.size > 0) {
    const { index, file } = await Promise.race(pending.values()).catch((error: unknown) => {
      throw multipartFault(error);
    });
    pending.delete(index);
    yield { name: file.filename, declaredType: file.mimetype, open: () => opened(file) };
  }
}

function opened(file: FileUpload) {
  try {
    return file.createReadStream();
  } catch (error) {
    throw multipartFault(error);
  }
}
