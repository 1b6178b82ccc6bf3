import { NoPreviewError } from '../errors.js';
import type { FileRow } from '../file/file.service.js';
import { previewKind } from '../rendition/preview.kind.js';
import { type PreviewTable, type PreviewText, previewTable, previewText } from '../rendition/preview.service.js';
import { pageCountOf } from '../rendition/rendition.service.js';
import { recordAccess } from './access.service.js';
import type { OpenedShare } from './open.service.js';
import { type Part, partsOfTable, partsOfText, pick } from './page.parts.js';

/** How many pages of a file are shown below each other. */
const PAGES = 20;

/** What a page shows of a file. */
export type PagePreview =
  | { kind: 'none' | 'image' }
  /** From and to, both counted from 1. */
  | { kind: 'pages'; from: number; to: number; count: number }
  | ({ kind: 'text'; part: Part } & PreviewText)
  | ({ kind: 'table'; part: Part } & PreviewTable);

/**
 * What is shown of a file, written down where it is all there: pictures are fetched one by one, and each is written down then.
 *
 * @param page the first one shown of a file that has pages, or which part of a text or a table; one that it does not have
 * is the first
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
  if (kind === 'text') return textPart(await previewText(ctx, file), page);
  if (kind === 'table') return tablePart(await previewTable(ctx, file), page);
  if (kind !== 'pages') return { kind: kind ?? 'none' };
  const count = await pageCountOf(ctx, file);
  if (count === null || count < 1) return { kind: 'none' };
  const from = page <= count ? page : 1;
  return { kind, from, to: Math.min(from + PAGES - 1, count), count };
}

function textPart({ text, truncated }: PreviewText, wanted: number): PagePreview {
  const { value = '', part } = pick(partsOfText(text), wanted);
  return { kind: 'text', text: value, part, truncated };
}

function tablePart({ rows, truncated }: PreviewTable, wanted: number): PagePreview {
  const { value = [], part } = pick(partsOfTable(rows), wanted);
  return { kind: 'table', rows: value, part, truncated };
}
