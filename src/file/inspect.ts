import { createHash } from 'node:crypto';
import { type Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileTypeFromBuffer } from 'file-type';
import { PayloadTooLargeError } from '../errors.js';
import type { Scan, ScanResult } from '../scan/scanner.js';

/** What a file's bytes are. */
export interface Inspection {
  /** In bytes. */
  size: number;
  /** 64 hex digits, lower case. */
  sha256: string;
  /** A media type without parameters, found in the bytes: never the word of whoever sent them. */
  contentType: string;
  /** What the virus scanner says; absent where there is none. */
  scan?: ScanResult;
}

export interface InspectOptions {
  /** The largest size that passes, in bytes. */
  maxSize: number;
  /** What the sender calls it; at most it tells one kind of plain text, or of Office archive, from another. */
  declaredType?: string;
  /** Gets the bytes as they pass, and keeps their pace. */
  scan?: Scan;
}

/** How much of a file its type is read from, in bytes: an Office archive tells its type only behind its first entries. */
const HEAD = 64 * 1024;

/**
 * Looks at bytes on their way through, in constant memory. The stream hands on what the source gives. It fails with
 * PayloadTooLargeError before the first byte over the limit, with the source's or the scan's error if one of them fails,
 * and destroying it destroys the source. The result comes once everything has passed, and rejects with what the stream
 * failed with; nobody has to catch it.
 */
export function inspectBytes(source: Readable, options: InspectOptions): { stream: Readable; result: Promise<Inspection> } {
  // Node pipes a stream that has ended as if it were empty: the file would be accepted without its bytes.
  if (source.readableDidRead) throw new TypeError('The source has been read before.');
  const inspector = new Inspector(options);
  const result = pipeline(source, inspector).then(() => inspector.inspection());
  result.catch(() => options.scan?.abort());
  return { stream: inspector, result };
}

class Inspector extends Transform {
  private readonly hash = createHash('sha256');
  private readonly head = Buffer.alloc(HEAD);
  private size = 0;

  constructor(private readonly options: InspectOptions) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.size + chunk.length > this.options.maxSize) {
      done(tooLarge(this.options.maxSize));
      return;
    }
    if (this.size < HEAD) chunk.copy(this.head, this.size);
    this.size += chunk.length;
    this.hash.update(chunk);
    if (this.options.scan) this.options.scan.write(chunk).then(() => done(null, chunk), done);
    else done(null, chunk);
  }

  async inspection(): Promise<Inspection> {
    const { size, hash, head } = this;
    const contentType = await sniffType(head.subarray(0, size), size, this.options.declaredType);
    return { size, sha256: hash.digest('hex'), contentType, scan: await this.options.scan?.result() };
  }
}

export const tooLarge = (limit: number) => new PayloadTooLargeError(`The file is larger than ${limit} bytes. Send a smaller one.`, limit);

/** Formats that are text themselves. Any other that file-type finds in clean text is a chance hit: "BMW contract" is no bitmap. */
const textFormats = new Set([
  'application/pdf',
  'application/postscript',
  'application/eps',
  'application/rtf',
  'application/pgp-encrypted',
]);

/** A sender's word counts only from one of these to another: none of them can run in a browser. */
const textRefinements = new Map([
  ['text/csv', 'text/csv'],
  ['application/csv', 'text/csv'],
  // What a browser calls a .csv file on a machine with Excel.
  ['application/vnd.ms-excel', 'text/csv'],
  ['text/tab-separated-values', 'text/tab-separated-values'],
  ['text/markdown', 'text/markdown'],
]);

/** Where an Office archive keeps its parts. */
const officeFolders = new Map([
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'word/'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xl/'],
  ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'ppt/'],
]);

/** @param head the first HEAD bytes, or all if there are fewer; @param size of the whole file, in bytes */
async function sniffType(head: Buffer, size: number, declaredType?: string): Promise<string> {
  const declared = bareType(declaredType);
  const text = cleanText(head, size > head.length);
  // What file-type cannot make sense of, such as a damaged archive, is no reason to refuse a file.
  const found = bareType((await fileTypeFromBuffer(head).catch(() => undefined))?.mime);
  if (text !== null) return isTextFormat(found) ? found : textType(text, size > head.length, declared);
  if (found === 'application/zip' && holdsOfficeFolder(head, declared)) return declared;
  return found && !isUtf16(head) && found !== 'application/xml' ? found : 'application/octet-stream';
}

const bareType = (type = '') => type.replace(/;.*/s, '').trim().toLowerCase();

/** Handed out as bytes, since nothing here vouches for text in UTF-16; file-type takes its mark for MPEG audio. */
const isUtf16 = (head: Buffer) => [0xfffe, 0xfeff].includes(head.length > 1 ? head.readUInt16BE() : 0);

const isTextFormat = (type: string) => textFormats.has(type) || type.startsWith('text/');

/** The head as text, or null if it is not UTF-8 or has control characters other than tab, line and page breaks. */
function cleanText(head: Buffer, cut: boolean): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: cut });
    return /[^\P{Cc}\t\n\f\r]/u.test(text) ? null : text;
  } catch {
    return null;
  }
}

function textType(text: string, cut: boolean, declared: string): string {
  const start = text.trimStart();
  // Stricter than the WHATWG's sniffing standard, which lists tags: whatever may begin a tag counts as markup.
  if (/^<[a-z!?/]/i.test(start)) return markupType(start);
  if (/^[[{]/.test(start) && (cut ? declared === 'application/json' : isJson(text))) return 'application/json';
  return textRefinements.get(declared) ?? 'text/plain';
}

function markupType(text: string): string {
  if (/<html[\s/>]|<!doctype html/i.test(text)) return 'text/html';
  if (/<svg[\s/>]/i.test(text)) return 'image/svg+xml';
  return /^<\?xml/i.test(text) ? 'application/xml' : 'text/html';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function holdsOfficeFolder(head: Buffer, declared: string): boolean {
  const folder = officeFolders.get(declared);
  if (!folder) return false;
  // A zip entry: its signature, 26 bytes of sizes and dates, its name.
  return new RegExp(`PK\\u0003\\u0004[^]{26}${folder}`).test(head.toString('latin1'));
}
