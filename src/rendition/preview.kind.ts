import type { File as FileRow } from '../db/generated/client.js';
import type { SourceFormat } from '../render/outcome.js';

/** How a file can be shown: page by page, as one picture, as text, as a table. */
export type PreviewKind = 'pages' | 'image' | 'text' | 'table';

const formats = new Map<string, SourceFormat>([
  ['application/pdf', 'pdf'],
  ['image/tiff', 'tiff'],
  ['image/jpeg', 'image'],
  ['image/png', 'image'],
  ['image/apng', 'image'],
  ['image/webp', 'image'],
  ['image/gif', 'image'],
  ['image/avif', 'image'],
  ['image/svg+xml', 'svg'],
]);

const texts = new Map<string, PreviewKind>([
  ['text/plain', 'text'],
  ['text/markdown', 'text'],
  ['application/json', 'text'],
  ['text/csv', 'table'],
  ['text/tab-separated-values', 'table'],
]);

type Typed = Pick<FileRow, 'contentType'>;

/** How the picture of a file is made; undefined if there is none. */
export const formatOf = ({ contentType }: Typed): SourceFormat | undefined => formats.get(contentType);

export const hasPages = (file: Typed): boolean => previewKind(file) === 'pages';

/** How a file can be shown, told from its type alone; null if only as its name. */
export function previewKind(file: Typed): PreviewKind | null {
  const format = formatOf(file);
  if (format) return format === 'pdf' || format === 'tiff' ? 'pages' : 'image';
  return texts.get(file.contentType) ?? null;
}
