import contentDisposition from 'content-disposition';
import type { ByteRange } from '../blob/store.js';
import { safeName } from './name.js';

/** A file that is asked for over HTTP, with the request's headers as they came. */
export interface DownloadRequest {
  method: 'GET' | 'HEAD';
  /** In bytes. */
  size: number;
  /** A strong entity tag with its quotes: `"…"`. */
  etag: string;
  lastModified?: Date;
  headers: {
    range?: string;
    ifRange?: string;
    ifMatch?: string;
    ifNoneMatch?: string;
    ifModifiedSince?: string;
    ifUnmodifiedSince?: string;
  };
}

/** What to answer. Bytes are sent with 200 (all) and 206 (the range) only, and not to HEAD. */
export interface DownloadPlan {
  status: 200 | 206 | 304 | 412 | 416;
  range?: ByteRange;
  headers: Record<string, string>;
}

/** Decides on preconditions and the range in the order of RFC 9110, section 13.2.2. Pure; never throws. */
export function planDownload(request: DownloadRequest): DownloadPlan {
  const { method, size, headers } = request;
  const validators = validatorsOf(request);
  if (!stillTheSame(request)) return { status: 412, headers: {} };
  if (alreadyKnown(request)) return { status: 304, headers: validators };
  // Range is defined for GET only.
  const range = method === 'GET' && ifRangeHolds(request) ? parseRange(headers.range, size) : null;
  if (range === 'refused') return { status: 416, headers: { 'Content-Range': `bytes */${size}` } };
  const common = { ...validators, 'Accept-Ranges': 'bytes' };
  if (!range) return { status: 200, headers: { ...common, 'Content-Length': String(size) } };
  const { start, end } = range;
  const part = { 'Content-Length': String(end - start + 1), 'Content-Range': `bytes ${start}-${end}/${size}` };
  return { status: 206, range, headers: { ...common, ...part } };
}

function validatorsOf({ etag, lastModified }: DownloadRequest): Record<string, string> {
  return lastModified ? { ETag: etag, 'Last-Modified': lastModified.toUTCString() } : { ETag: etag };
}

function stillTheSame({ etag, lastModified, headers }: DownloadRequest): boolean {
  if (headers.ifMatch !== undefined) return namesTag(headers.ifMatch, etag, 'strong');
  const since = parseDate(headers.ifUnmodifiedSince);
  return since === null || !lastModified || wholeSeconds(lastModified) <= since;
}

function alreadyKnown({ etag, lastModified, headers }: DownloadRequest): boolean {
  if (headers.ifNoneMatch !== undefined) return namesTag(headers.ifNoneMatch, etag, 'weak');
  const since = parseDate(headers.ifModifiedSince);
  return since !== null && lastModified !== undefined && wholeSeconds(lastModified) <= since;
}

/** A date in If-Range never holds: to whole seconds it cannot prove that the bytes are the same, and 200 is always right. */
const ifRangeHolds = ({ etag, headers }: DownloadRequest) => headers.ifRange === undefined || headers.ifRange.trim() === etag;

/** Whether an If-Match or If-None-Match names this tag. Weak comparison takes W/"x" for "x", strong comparison takes it for nothing. */
export function namesTag(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//, '') : tag) === etag);
}

/** Milliseconds; null for what is not an IMF-fixdate, which RFC 9110 says to ignore. */
function parseDate(header: string | undefined): number | null {
  if (header === undefined) return null;
  const date = new Date(header);
  return date.toUTCString() === header ? date.getTime() : null;
}

const wholeSeconds = (date: Date) => Math.floor(date.getTime() / 1000) * 1000;

/**
 * The one range asked for; null when the header is to be ignored, which it is on other units, bad syntax and on an
 * empty file; 'refused' when nothing of it lies within the file, and for several ranges, that only amplify.
 */
function parseRange(header: string | undefined, size: number): ByteRange | null | 'refused' {
  const [, list] = /^bytes=(.*)$/i.exec(header?.trim() ?? '') ?? [];
  if (list === undefined || size === 0) return null;
  const specs = list.split(',').flatMap((spec) => spec.trim() || []);
  const ranges = specs.map((spec) => parseSpec(spec, size));
  const [first = null] = ranges;
  if (ranges.includes(null)) return null;
  return ranges.length > 1 ? 'refused' : first;
}

function parseSpec(spec: string, size: number): ByteRange | null | 'refused' {
  const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (first === '' && last === '') return null;
  if (first === '') return Number(last) === 0 ? 'refused' : { start: Math.max(0, size - Number(last)), end: size - 1 };
  if (last !== '' && Number(last) < Number(first)) return null;
  return Number(first) >= size ? 'refused' : { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** A file as it is named and typed to a browser. */
export interface Presentation {
  /** Any string at all, as the user gave it. */
  name: string;
  /** The sniffed type, never the declared one. */
  contentType: string;
  disposition: 'inline' | 'attachment';
}

/** What a browser may show in place, and the type to show it as. Nothing here can run a script in our origin. */
const inlineTypes = new Map([
  ['application/pdf', 'application/pdf'],
  ['image/png', 'image/png'],
  ['image/jpeg', 'image/jpeg'],
  ['image/gif', 'image/gif'],
  ['image/webp', 'image/webp'],
  ['text/plain', 'text/plain'],
  // Browsers download text/csv whatever the disposition says.
  ['text/csv', 'text/plain'],
]);

/** Types that a browser, or an app's web view that overlooks the disposition, would run. */
const activeType = /html|svg|(?:\/|\+)xml$|xsl|javascript|ecmascript|^multipart\//;

/**
 * Headers for a file's bytes. They assume that the file is hostile: a type off the allow-list is an attachment whatever
 * was asked for, an active one is sent as plain bytes, and every response is sandboxed and stays in its user's browser.
 */
export function contentHeaders({ name, contentType, disposition }: Presentation): Record<string, string> {
  const shownAs = disposition === 'inline' ? inlineTypes.get(contentType) : undefined;
  return {
    'Content-Type': withCharset(shownAs ?? passiveType(contentType)),
    'Content-Disposition': dispositionOf(shownAs ? 'inline' : 'attachment', safeName(name)),
    'X-Content-Type-Options': 'nosniff',
    // The browser's own frame for an image has an inline style. Chromium shows PDFs in spite of the sandbox.
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    // A proxy may neither keep a file nor recompress an image; a browser asks again each time.
    'Cache-Control': 'private, no-cache, no-transform',
  };
}

function passiveType(type: string): string {
  const wellFormed = /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/.test(type);
  return wellFormed && !activeType.test(type) ? type : 'application/octet-stream';
}

const withCharset = (type: string) => (type.startsWith('text/') ? `${type}; charset=utf-8` : type);

/** RFC 6266: an ASCII name for old clients, the true one beside it wherever the two differ. */
function dispositionOf(type: 'inline' | 'attachment', name: string): string {
  const ascii = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\x20-\x7e]|["%/\\]/gu, '_');
  return contentDisposition(name, { type, fallback: ascii || 'file' });
}
