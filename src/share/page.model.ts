import type { File as FileRow } from '../db/generated/client.js';
import { previewKind } from '../rendition/preview.kind.js';
import type { OpenedShare } from './open.service.js';
import type { PagePreview } from './page.preview.js';

/** How many files a page lists. */
const FILES = 20;

/** What the sheet that stands for a file looks like. */
export type FileKind = 'pdf' | 'image' | 'table' | 'text' | 'other';

export interface PageFile {
  id: string;
  name: string;
  kind: FileKind;
  /** On the sheet: "PDF". */
  badge: string;
  /** "240 kB". */
  size: string;
  /** Shows it on the page. */
  href: string;
  /** The same without the way to its place on the page. */
  pageHref: string;
  /** Where its pictures are. */
  previewHref: string;
  /** A small picture; null for what has none. */
  thumbnail: string | null;
  /** Null when the share does not allow it. */
  downloadHref: string | null;
}

/** What the page of a share shows. All times and sizes are ready to be read. */
export interface SharePage {
  name: string;
  description: string;
  approved: boolean;
  expiresAt: Date;
  /** Those around the one that is shown. */
  files: PageFile[];
  /** The place of the first of them among all, from 1. */
  filesFrom: number;
  /** Of all. */
  fileCount: number;
  /** Where those before and after them are; null where there are none. */
  earlierHref: string | null;
  laterHref: string | null;
  /** Of all files: "1.2 MB". */
  size: string;
  allowDownload: boolean;
  /** Downloads all files as one archive; null where there is nothing to put together. */
  zipHref: string | null;
  /** Null: as often as one likes. */
  downloadsLeft: number | null;
  /** The one whose preview is shown; null when the document has no files. */
  selected: PageFile | null;
  preview: PagePreview;
  watermark: string;
}

/** The file that was asked for, by default the first. */
export const selectedFile = (files: FileRow[], id: string | undefined): FileRow | null =>
  files.find((file) => file.id === id) ?? files[0] ?? null;

/** @param path of the share, `/s/{token}`; @param selected the file that is shown, and what of it */
export function sharePage(
  { share, document, files }: OpenedShare,
  path: string,
  selected: FileRow | null,
  preview: PagePreview,
): SharePage {
  const index = Math.max(
    0,
    files.findIndex((file) => file.id === selected?.id),
  );
  const start = index - (index % FILES);
  const shownFile = (file: FileRow) => pageFile(file, path, share.allowDownload);
  const hrefOf = (file: FileRow | undefined) => (file ? shownFile(file).href : null);
  const shown = files.slice(start, start + FILES).map(shownFile);
  return {
    name: visible(document.name),
    description: document.description,
    approved: document.status === 'APPROVED',
    expiresAt: share.expiresAt,
    files: shown,
    filesFrom: start + 1,
    fileCount: files.length,
    earlierHref: hrefOf(files[start - FILES]),
    laterHref: hrefOf(files[start + FILES]),
    size: byteText(files.reduce((sum, file) => sum + Number(file.size), 0)),
    allowDownload: share.allowDownload,
    zipHref: share.allowDownload && files.length > 1 ? `${path}/files.zip` : null,
    downloadsLeft: share.maxDownloads === null ? null : share.maxDownloads - share.downloadCount,
    selected: shown[index - start] ?? null,
    preview,
    watermark: share.watermark ?? '',
  };
}

const pageFile = (file: FileRow, path: string, allowDownload: boolean): PageFile => ({
  id: file.id,
  name: visible(file.name),
  kind: kindOf(file.contentType),
  badge: badgeOf(file),
  size: byteText(Number(file.size)),
  href: `${path}?file=${file.id}#preview`,
  pageHref: `${path}?file=${file.id}`,
  previewHref: `${path}/files/${file.id}/preview`,
  thumbnail: ['pages', 'image'].includes(previewKind(file) ?? '') ? `${path}/files/${file.id}/preview?width=160` : null,
  downloadHref: allowDownload ? `${path}/files/${file.id}` : null,
});

/** A name without the marks that turn text round: with one, "invoice.exe" reads as "invoiexe.pdf". */
const visible = (name: string) => name.toWellFormed().replace(/[\p{Cc}\p{Bidi_Control}]/gu, '');

function kindOf(contentType: string): FileKind {
  if (contentType === 'application/pdf') return 'pdf';
  if (contentType.startsWith('image/') && contentType !== 'image/svg+xml') return 'image';
  if (/spreadsheet|ms-excel|^text\/(csv|tab-separated-values)$/.test(contentType)) return 'table';
  return contentType.startsWith('text/') ? 'text' : 'other';
}

/** What people call a type, in at most four letters. */
function badgeOf({ name, contentType }: FileRow): string {
  const known = badges[contentType];
  if (known) return known;
  const [, extension] = /\.([a-z0-9]{1,4})$/i.exec(name) ?? [];
  return extension?.toUpperCase() ?? 'FILE';
}

/** Told from the bytes, where a name may say something else. */
const badges: Record<string, string> = {
  'application/pdf': 'PDF',
  'image/png': 'PNG',
  'image/jpeg': 'JPG',
  'image/gif': 'GIF',
  'image/webp': 'WEBP',
  'image/tiff': 'TIFF',
  'image/svg+xml': 'SVG',
  'text/html': 'HTML',
  'text/csv': 'CSV',
  'text/plain': 'TXT',
  'application/json': 'JSON',
  'application/zip': 'ZIP',
};

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** "0 bytes", "1.2 kB", "35 MB". */
export function byteText(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return new Intl.NumberFormat('en', {
    style: 'unit',
    unit: units[power],
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumSignificantDigits: 3,
  }).format(bytes / 1000 ** power);
}
