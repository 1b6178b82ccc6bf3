import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pLimit, { type LimitFunction } from 'p-limit';
import workerpool from 'workerpool';
import { unavailable } from '../errors.js';
import type { CountOutcome, Failed, PageRequest, RenderOutcome, SourceFormat } from './outcome.js';
import type { WorkerMethods } from './worker.js';

/** The bytes to render, opened when their turn comes. */
export interface Source {
  /** Whose they are: all owners get a turn equally often, however much each has waiting. */
  owner: string;
  format: SourceFormat;
  /** @param signal that it is not waited for any longer */
  open(signal: AbortSignal): Promise<Readable>;
}

/**
 * Makes pictures of files in processes of their own. Throws UNAVAILABLE when too much of the same owner waits, or the bytes
 * do not come in time.
 */
export interface Renderer {
  render(source: Source, request: PageRequest): Promise<RenderOutcome>;
  countPages(source: Source): Promise<CountOutcome>;
  /** Writes a text all over a WebP. UNAVAILABLE when that fails, twice where its process died: never a picture without it. */
  watermark(owner: string, image: Uint8Array, text: string): Promise<Uint8Array>;
  /** Does a piece of work once for all who ask for it while it runs. */
  once<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
  /** Ends what runs. */
  close(): Promise<void>;
}

export interface RendererOptions {
  /** For the copies of files that are being rendered. */
  folder: string;
  /** How many processes. They start when they are first needed. */
  workers: number;
  /** How long one file may take, in seconds; then its process is killed and replaced. */
  timeout?: number;
  /** How long the bytes of one file may take to come, in seconds. */
  fetchTimeout?: number;
  /** How many may wait of each owner. */
  queue?: number;
  /** Folders of the machine's fonts, for scripts that ours lacks. */
  fonts?: string[];
  /** Gets what the libraries in those processes print, which is no JSON. */
  onOutput?: (text: string) => void;
}

const TIMEOUT = 20;
const FETCH_TIMEOUT = 60;
const QUEUE = 50;
/** How much of one output is passed on, in letters. */
const MAX_OUTPUT = 1000;
/** What a process may hold: JavaScript's memory in MiB, WebAssembly's in pages of 64 KiB (512 MiB). */
const MEMORY = ['--max-old-space-size=256', '--wasm-max-mem-pages=8192'];
const FONTS = ['/usr/share/fonts', '/usr/local/share/fonts'];
const HOUR = 60 * 60_000;

/**
 * Files of strangers are decoded by C and C++ code, which a thread would run in the middle of this process: with its keys
 * in reach, and with its life at stake. A process has neither, can be killed whatever it does, and gives all of its
 * memory back.
 */
export async function createRenderer(options: RendererOptions): Promise<Renderer> {
  const { folder, workers, timeout = TIMEOUT, fetchTimeout = FETCH_TIMEOUT, queue = QUEUE, fonts = FONTS, onOutput } = options;
  await prepareFolder(folder, fonts);
  const pool = workerpool.pool(workerFile, {
    workerType: 'process',
    maxWorkers: workers,
    workerTerminateTimeout: 200,
    emitStdStreams: true,
    forkOpts: { execArgv: [...MEMORY, ...loader], env: environment(folder), serialization: 'advanced' },
  });
  const queued = fairQueue(workers, queue);
  const running = new Map<string, Promise<unknown>>();
  const printed = ({ stdout, stderr }: { stdout?: string; stderr?: string }) => onOutput?.((stdout ?? stderr ?? '').slice(0, MAX_OUTPUT));
  // Never more than there are processes: what waits in the pool itself is forgotten there when a process dies.
  const rendering = pLimit(workers);
  const exec = <Name extends keyof WorkerMethods>(name: Name, parameters: Parameters<WorkerMethods[Name]>) => {
    type Result = Awaited<ReturnType<WorkerMethods[Name]>>;
    // The pool's promise is its own kind, of no type in particular.
    return rendering(
      async (): Promise<Result> => pool.exec(name, parameters, { on: printed }).timeout(timeout * 1000) as PromiseLike<Result>,
    );
  };
  const withCopy = <Outcome>({ owner, open }: Source, work: (path: string) => PromiseLike<Outcome>) =>
    queued(owner, async () => {
      const path = join(folder, randomUUID());
      try {
        await copyTo(path, open, fetchTimeout);
        return await settled(work(path));
      } finally {
        await rm(path, { force: true });
      }
    });

  return {
    render: (source, request) => withCopy(source, (path) => exec('render', [{ path, format: source.format }, request])),
    countPages: (source) => withCopy(source, (path) => exec('countPages', [{ path, format: source.format }])),
    watermark: (owner, image, text) => queued(owner, () => drawn(() => exec('watermark', [image, text]))),
    once: (key, work) => {
      const known = running.get(key) as ReturnType<typeof work> | undefined; // Whoever uses a key always means the same by it.
      if (known) return known;
      const started = work().finally(() => running.delete(key));
      running.set(key, started);
      return started;
    },
    close: async () => {
      await pool.terminate(true);
    },
  };
}

/**
 * Every owner has a queue. The one for all takes no more of each than there are processes, so that whoever has little to
 * do waits for one piece of work of each of the others, and not for all of it.
 */
function fairQueue(workers: number, places: number) {
  // One more file than is being rendered is on its way from its store.
  const turn = pLimit(workers + 1);
  const queues = new Map<string, { next: LimitFunction; size: number }>();
  return async <Result>(owner: string, work: () => Promise<Result>): Promise<Result> => {
    const own = queues.get(owner) ?? { next: pLimit(workers), size: 0 };
    if (own.size >= workers + places) throw unavailable('Too many previews are being made at the moment. Try again shortly.');
    queues.set(owner, own);
    own.size += 1;
    try {
      return await own.next(() => turn(work));
    } finally {
      own.size -= 1;
      if (own.size === 0) queues.delete(owner);
    }
  };
}

/** What became of a process, as the outcome for the file that it had in hand. */
async function settled<Outcome>(result: PromiseLike<Outcome>): Promise<Outcome | Failed> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof workerpool.Promise.TimeoutError) return { status: 'FAILED', reason: 'TIMED_OUT' };
    if (error instanceof workerpool.TerminateError) return { status: 'FAILED', reason: 'CRASHED' };
    throw error;
  }
}

/** A process may die of the file that it had before: what it had in hand gets another one, once. */
async function drawn<Result>(draw: () => Promise<Result>): Promise<Result> {
  try {
    return await draw().catch((error: unknown) => {
      if (error instanceof workerpool.TerminateError) return draw();
      throw error;
    });
  } catch (error) {
    throw unavailable('The preview cannot be drawn at the moment. Try again shortly.', { cause: error });
  }
}

/** A store that hangs must not keep a place for ever. @param seconds for all bytes */
async function copyTo(path: string, open: Source['open'], seconds: number): Promise<void> {
  const signal = AbortSignal.timeout(seconds * 1000);
  try {
    await pipeline(await inTime(open(signal), signal), createWriteStream(path, { mode: 0o600, flags: 'wx' }), { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw unavailable('The file did not come from its storage in time. Try again later.', { cause: error });
  }
}

/** What opens too late is closed. */
const inTime = (opening: Promise<Readable>, signal: AbortSignal) =>
  new Promise<Readable>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    opening.then((bytes) => {
      if (signal.aborted) bytes.destroy();
      resolve(bytes);
    }, reject);
  });

/** Beside the bundle lies the worker's bundle, beside the source its source, which needs tsx. */
const fromSource = import.meta.url.endsWith('.ts');
const workerFile = fileURLToPath(new URL(fromSource ? './worker.ts' : './worker.js', import.meta.url));
const loader = fromSource ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [];

/** None of our own environment, which has secrets: only where the fonts are. */
const environment = (folder: string) => ({ FONTCONFIG_FILE: join(folder, 'fonts.conf'), MALLOC_ARENA_MAX: '2' });

/** Copies of killed processes go; others may be in use, since several gateways can share a folder. */
async function prepareFolder(folder: string, fonts: string[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => null);
    if (stats?.isFile() && stats.mtimeMs < Date.now() - HOUR) await rm(path, { force: true });
  }
  await writeFile(join(folder, 'fonts.conf'), fontsConf(folder, fonts));
}

/** A machine without fonts has ours; one with fonts has its own too, for scripts that ours lacks. */
function fontsConf(folder: string, fonts: string[]): string {
  const ours = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const folders = [ours, ...fonts].map((path) => `<dir>${escaped(path)}</dir>`);
  return `<?xml version="1.0"?>\n<fontconfig>${folders.join('')}<cachedir>${escaped(join(folder, 'fonts'))}</cachedir></fontconfig>\n`;
}

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
