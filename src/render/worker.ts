import { setPriority } from 'node:os';
import workerpool from 'workerpool';
import { countImagePages, renderImage, renderSvg } from './image.js';
import type { CountOutcome, PageRequest, RenderOutcome, RenderSource } from './outcome.js';
import { countPdfPages, renderPdfPage } from './pdf.js';
import { drawWatermark } from './watermark.js';

function render({ path, format }: RenderSource, request: PageRequest): Promise<RenderOutcome> {
  if (format === 'pdf') return renderPdfPage(path, request);
  return format === 'svg' ? renderSvg(path, request) : renderImage(path, request, format === 'tiff');
}

const countPages = ({ path, format }: RenderSource): Promise<CountOutcome> =>
  format === 'pdf' ? countPdfPages(path) : countImagePages(path);

/** What a process of its own does for renderer.ts. */
const methods = { render, countPages, watermark: drawWatermark };
export type WorkerMethods = typeof methods;

// Whoever waits for an answer of the API comes first.
setPriority(10);
workerpool.worker(methods);
