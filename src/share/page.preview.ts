import { NoPreviewError } from '../errors.js';
import type { FileRow } from '../file/file.service.js';
import { previewKind } from '../rendition/preview.kind.js';
import { type PreviewTable, type PreviewText, previewTable, previewText } from '../rendition/preview.service.js';
import { pageCountOf } from '../rendition/rendition.service.js';
import { recordAccess } from './access.service.js';
import type { OpenedShare } from './open.service.js';

/** How many pages of a file are shown below each other. */
const PAGES = 20;

/** What a page shows of a file. */
export type PagePreview =
  | { kind: 'none' | 'image' }
  /** From and to, both counted from 1. */
  | { kind: 'pages'; from: number; to: number; count: number }
  | ({ kind: 'text' } & PreviewText)
  | ({ kind: 'table' } & PreviewTable);

/**
 * What is shown of a file, written down where it is all there: pictures are fetched one by one, and each is written down then.
 *
 * @param page the first one shown of a file that has pages; one that it does not have is the first
 */
export async function pagePreview(opened: OpenedShare, file: FileRow, page = 1): Promise<PagePreview> {
  try {
    const preview = await shown(opened, file, page);
    if (preview.kind === 'text' || preview.kind === 'table') {
      await recordAccess(opened.ctx, opened.share, { kind: 'PREVIEW', fileId: file.id });
    }
    return preview;
  } catch (error) {
    if (error instanceof NoPreviewError) return { kind: 'none' };
    throw error;
  }
}

async function shown({ ctx }: OpenedShare, file: FileRow, page: number): Promise<PagePreview> {
  const kind = previewKind(file);
  if (kind === 'text') return { kind, ...(await previewText(ctx, file)) };
  if (kind === 'table') return { kind, ...(await previewTable(ctx, file)) };
  if (kind !== 'pages') return { kind: kind ?? 'none' };
  const count = await pageCountOf(ctx, file);
  if (count === null || count < 1) return { kind: 'none' };
  const from = page <= count ? page : 1;
  return { kind, from, to: Math.min(from + PAGES - 1, count), count };
}
