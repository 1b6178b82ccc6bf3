import { createHash } from 'node:crypto';
import type { RequestContext } from '../context.js';
import { NoPreviewError, notFound } from '../errors.js';
import { type FileRow, openFile } from '../file/file.service.js';
import { parseInput } from '../input.js';
import type { PageRequest, RenderFailure, RenderOutcome } from '../render/outcome.js';
import type { Source } from '../render/renderer.js';
import { formatOf, hasPages } from './preview.kind.js';
import { previewInput, watermarkText } from './rendition.input.js';
import { failureOf, findKnown, type Known, keep, readKept, rememberFile, rememberPage } from './rendition.store.js';

export interface PreviewRequest {
  /** From 1, which it is by default. */
  page?: number | null;
  /** In pixels; rounded up to one of those that are offered. By default 640. */
  width?: number | null;
  /** Text that viewers shall see across the picture. */
  watermark?: string | null;
}

export interface PreviewImage {
  bytes: Buffer;
  contentType: 'image/webp';
  /** A strong entity tag with its quotes. */
  etag: string;
}

/** The largest file that is rendered, in bytes: PDFium needs all of it in memory, which is limited to five times as much. */
const MAX_SOURCE = 100_000_000;

/**
 * A page of a PDF or a TIFF, or a picture, as a WebP. Made once and then kept beside the file; the watermark is drawn on
 * each. The caller has established the right to read the file.
 * Throws NOT_FOUND for files that are not READY and pages that do not exist, NO_PREVIEW, UNAVAILABLE when too many wait.
 */
export async function renderPreview(ctx: RequestContext, file: FileRow, input: PreviewRequest = {}): Promise<PreviewImage> {
  const request = parseInput(previewInput, input);
  const watermark = watermarkText.parse(input.watermark ?? '');
  const source = sourceOf(ctx, file);
  const key = `${file.tenantId}/${file.id}/${request.page}/${request.width}`;
  const image = await ctx.services.renderer.once(key, () => imageOf(ctx, file, source, request));
  const bytes = watermark === '' ? image : Buffer.from(await ctx.services.renderer.watermark(file.tenantId, image, watermark));
  return { bytes, contentType: 'image/webp', etag: previewEtag(file, input) };
}

/** What `renderPreview` will tag its answer with, known without rendering. */
export function previewEtag(file: FileRow, input: PreviewRequest = {}): string {
  const { page, width } = parseInput(previewInput, input);
  const mark = input.watermark ? `-${createHash('sha256').update(input.watermark.trim()).digest('hex').slice(0, 16)}` : '';
  return `"${file.sha256}-${page}-${width}${mark}"`;
}

/**
 * How many pages a PDF or TIFF has; counted when first asked for. Null for other files, and for those that cannot be read.
 * The caller has established the right to read the file.
 */
export async function pageCountOf(ctx: RequestContext, file: FileRow): Promise<number | null> {
  if (!hasPages(file) || file.state !== 'READY') return null;
  const preview = await ctx.db.preview.findFirst({ where: { id: file.id } });
  if (preview?.pageCount != null) return preview.pageCount;
  if (failureOf(ctx, preview) || unreadable(file)) return null;
  return ctx.services.renderer.once(`${file.tenantId}/${file.id}/count`, () => countPages(ctx, file));
}

async function countPages(ctx: RequestContext, file: FileRow): Promise<number | null> {
  const outcome = await ctx.services.renderer.countPages(sourceOf(ctx, file));
  if (outcome.status === 'COUNTED') {
    await rememberFile(ctx, file, { pageCount: outcome.pageCount });
    return outcome.pageCount;
  }
  await rememberFailure(ctx, file, null, outcome.reason);
  return null;
}

/** The bytes to render. Nothing is opened for a file that cannot be shown. */
function sourceOf(ctx: RequestContext, file: FileRow): Source {
  if (file.state !== 'READY') throw notFound('File');
  const format = formatOf(file);
  if (!format) throw new NoPreviewError('UNSUPPORTED');
  const reason = unreadable(file);
  if (reason) throw new NoPreviewError(reason);
  return { owner: file.tenantId, format, open: (signal) => openFile(ctx, file, undefined, signal) };
}

function unreadable({ size }: FileRow): RenderFailure | null {
  if (size === 0n) return 'BROKEN';
  return size > MAX_SOURCE ? 'TOO_LARGE' : null;
}

async function imageOf(ctx: RequestContext, file: FileRow, source: Source, request: PageRequest): Promise<Buffer> {
  const known = await findKnown(ctx, file, request);
  refuseKnown(ctx, known, request);
  const kept = await readKept(ctx, known.rendition);
  if (kept) return kept;
  const outcome = await ctx.services.renderer.render(source, request);
  await learnPages(ctx, file, known, outcome);
  if (outcome.status === 'NO_SUCH_PAGE') throw notFound('Page');
  if (outcome.status === 'FAILED') {
    const page = (outcome.pageCount ?? known.preview?.pageCount) != null ? request : null;
    await rememberFailure(ctx, file, page, outcome.reason);
    throw new NoPreviewError(outcome.reason);
  }
  const image = Buffer.from(outcome.image);
  await keep(ctx, file, request, image).catch((error: unknown) => {
    ctx.log.warn({ err: error, fileId: file.id }, 'could not keep a preview; it will be made again');
  });
  return image;
}

function refuseKnown(ctx: RequestContext, { preview, rendition }: Known, { page }: PageRequest): void {
  const failure = failureOf(ctx, preview) ?? failureOf(ctx, rendition);
  if (failure) throw new NoPreviewError(failure);
  if (preview?.pageCount != null && page > preview.pageCount) throw notFound('Page');
}

async function learnPages(ctx: RequestContext, file: FileRow, { preview }: Known, { pageCount }: RenderOutcome & { pageCount?: number }) {
  if (pageCount !== undefined && preview?.pageCount !== pageCount) await rememberFile(ctx, file, { pageCount });
}

/** @param page the page that failed; null when it was the file */
async function rememberFailure(ctx: RequestContext, file: FileRow, page: PageRequest | null, failure: RenderFailure): Promise<void> {
  ctx.log.warn({ fileId: file.id, ...page, failure }, 'a file cannot be shown');
  await (page ? rememberPage(ctx, file, page, failure) : rememberFile(ctx, file, { failure }));
}
