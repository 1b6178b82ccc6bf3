import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type PDFiumDocument, PDFiumLibrary } from '@hyzyla/pdfium';
import { encodePixels } from './image.js';
import { type CountOutcome, type Failed, MAX_RATIO, type PageRequest, type RenderOutcome } from './outcome.js';

/** PDFium once compiled. */
let compiled: Promise<WebAssembly.Module> | undefined;

/** Pages in the order of the document, without opening any of them. */
export const countPdfPages = (path: string): Promise<CountOutcome> =>
  withDocument(path, async (document) => ({ status: 'COUNTED', pageCount: document.getPageCount() }));

export const renderPdfPage = (path: string, request: PageRequest): Promise<RenderOutcome> =>
  withDocument(path, async (document): Promise<RenderOutcome> => {
    const pageCount = document.getPageCount();
    if (request.page > pageCount) return { status: 'NO_SUCH_PAGE', pageCount };
    try {
      const image = await renderPage(document, request);
      return image ? { status: 'RENDERED', image, pageCount } : { status: 'FAILED', reason: 'BROKEN', pageCount };
    } catch (error) {
      return { status: 'FAILED', reason: reasonOf(error), pageCount };
    }
  });

/**
 * Every document gets a PDFium of its own, with fresh memory: nothing of one document is left when the next one comes, be
 * it a secret or damage.
 */
async function withDocument<Outcome>(path: string, work: (document: PDFiumDocument) => Promise<Outcome>): Promise<Outcome | Failed> {
  try {
    const library = await newLibrary();
    return await work(await library.loadDocument(await readFile(path)));
  } catch (error) {
    return { status: 'FAILED', reason: reasonOf(error) };
  }
}

async function newLibrary() {
  compiled ??= readFile(createRequire(import.meta.url).resolve('@hyzyla/pdfium/pdfium.wasm')).then((bytes) => WebAssembly.compile(bytes));
  const module = await compiled;
  return PDFiumLibrary.init({
    instantiateWasm: (imports, done) => {
      // Emscripten takes the instance; the package's type says otherwise.
      WebAssembly.instantiate(module, imports).then((instance) => done(instance as unknown as WebAssembly.Module));
      return {};
    },
  });
}

/** Null for a page that cannot be read or has no area. */
async function renderPage(document: PDFiumDocument, { page, width }: PageRequest): Promise<Uint8Array | null> {
  const opened = document.getPage(page - 1);
  const { originalWidth, originalHeight } = opened.getOriginalSize();
  if (!(originalWidth > 0 && originalHeight > 0)) return null;
  const scale = Math.min(width / originalWidth, (width * MAX_RATIO) / originalHeight);
  const size = { width: atLeastOne(originalWidth * scale), height: atLeastOne(originalHeight * scale) };
  const { data } = await opened.render({ ...size, renderFormFields: true, render: encodePixels });
  return data;
}

const atLeastOne = (pixels: number) => Math.max(1, Math.round(pixels));

function reasonOf(error: unknown): Failed['reason'] {
  const message = error instanceof Error ? error.message : '';
  if (/password|security/i.test(message)) return 'ENCRYPTED';
  // PDFium aborts when it gets no more memory.
  return error instanceof RangeError || /memory|abort/i.test(message) ? 'TOO_LARGE' : 'BROKEN';
}
