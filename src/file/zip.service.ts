import { finished, type PassThrough, type Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { RequestContext } from '../context.js';
import { type FileRow, openFile, requireReadable } from './file.service.js';
import { distinctNames } from './name.js';

/**
 * The files as one zip archive, in memory that does not grow with them. Each is opened when its turn comes; destroying
 * the stream frees the one that is open. If a file fails, or has another size than its row says, the stream fails:
 * an archive that ends is whole. The caller has established the right to read the files.
 *
 * @throws CONFLICT before any byte if one of the files is in quarantine
 */
export function zipOf(ctx: RequestContext, files: FileRow[]): Readable {
  for (const file of files) requireReadable(file);
  const zip = new ZipFile();
  const output = zip.outputStream as PassThrough; // Its declaration is older than streams that can be destroyed.
  const gone = new AbortController();
  output.once('close', () => gone.abort());
  const fail = (error: unknown) => void output.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on('error', fail);
  const names = distinctNames(files.map((file) => file.name));
  for (const [index, file] of files.entries()) {
    const entry = { size: Number(file.size), mtime: file.createdAt, compress: shrinks(file.contentType) };
    zip.addReadStreamLazy(names[index] ?? file.id, entry, (pump) => {
      openFile(ctx, file, undefined, gone.signal).then((bytes) => {
        // The archive writer looks at neither errors nor early ends of what it reads.
        finished(bytes, { writable: false }, (error) => error && fail(error));
        pump(null, bytes);
      }, fail);
    });
  }
  zip.end();
  return output;
}

/** What deflating makes smaller. Everything else is compressed by its own format, or unknown. */
const loose = /^text\/|(?:\/|\+)(?:json|xml)$|^image\/(?:bmp|tiff)$|^audio\/(?:wav|x-wav)$|^application\/(?:rtf|postscript|eps|x-cfb)$/;

const shrinks = (contentType: string): boolean => loose.test(contentType);
