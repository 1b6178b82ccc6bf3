import { buffer } from 'node:stream/consumers';
import { parse } from 'csv-parse/sync';
import type { RequestContext } from '../context.js';
import { NoPreviewError, notFound } from '../errors.js';
import { type FileRow, openFile } from '../file/file.service.js';
import { previewKind } from './preview.kind.js';

/** How much of a text is shown, in bytes: some twenty pages. */
const TEXT_BYTES = 64 * 1024;
const MAX_ROWS = 200;
const MAX_COLUMNS = 50;
const MAX_CELL = 500;

export interface PreviewText {
  text: string;
  /** Whether the file goes on. */
  truncated: boolean;
}

export interface PreviewTable {
  /** Each as long as its line is, the first one often the names of the columns. */
  rows: string[][];
  /** Whether the file has more rows, columns or letters. */
  truncated: boolean;
}

/** The beginning of a text file. The caller has established the right to read it. */
export async function previewText(ctx: RequestContext, file: FileRow): Promise<PreviewText> {
  if (previewKind(file) !== 'text') throw new NoPreviewError('UNSUPPORTED');
  return beginningOf(ctx, file);
}

/** The first rows of a CSV file, whatever separates its columns. The caller has established the right to read it. */
export async function previewTable(ctx: RequestContext, file: FileRow): Promise<PreviewTable> {
  if (previewKind(file) !== 'table') throw new NoPreviewError('UNSUPPORTED');
  const { text, truncated } = await beginningOf(ctx, file);
  // A line that the limit cut in two would be shown as if it were whole.
  const whole = truncated ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
  const rows = parseRows(whole, file.contentType === 'text/tab-separated-values' ? '\t' : separatorOf(whole));
  const shown = rows.slice(0, MAX_ROWS).map((row) => row.slice(0, MAX_COLUMNS).map((cell) => cell.slice(0, MAX_CELL)));
  const cut = rows.length > MAX_ROWS || rows.some((row) => row.length > MAX_COLUMNS || row.some((cell) => cell.length > MAX_CELL));
  return { rows: shown, truncated: truncated || cut };
}

function parseRows(text: string, delimiter: string): string[][] {
  try {
    return parse(text, { delimiter, relax_column_count: true, relax_quotes: true, skip_empty_lines: true, to: MAX_ROWS + 1 });
  } catch {
    throw new NoPreviewError('BROKEN');
  }
}

/** Spreadsheets of countries with a decimal comma separate by semicolons. */
function separatorOf(text: string): string {
  const [line = ''] = text.split('\n', 1);
  const count = (separator: string) => line.split(separator).length;
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best));
}

async function beginningOf(ctx: RequestContext, file: FileRow): Promise<PreviewText> {
  if (file.state !== 'READY') throw notFound('File');
  if (file.size === 0n) return { text: '', truncated: false };
  const truncated = file.size > TEXT_BYTES;
  const bytes = await buffer(await openFile(ctx, file, truncated ? { start: 0, end: TEXT_BYTES - 1 } : undefined));
  // Half a character at the end is left out, a byte order mark at the beginning too.
  return { text: new TextDecoder('utf-8').decode(bytes, { stream: truncated }), truncated };
}
