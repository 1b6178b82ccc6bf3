import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SourceFormat } from '../src/render/outcome.js';
import { createRenderer, type RendererOptions, type Source } from '../src/render/renderer.js';
import { endlessPdf, pdfOf } from './pdfs.js';

async function newRenderer(options: Partial<RendererOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'render-'));
  const renderer = await createRenderer({ folder, workers: 1, ...options });
  onTestFinished(async () => {
    await renderer.close();
    await expect.poll(workers).toEqual([]);
    await rm(folder, { recursive: true });
  });
  const copies = async () => (await readdir(folder)).filter((name) => !name.startsWith('fonts'));
  return { ...renderer, copies };
}

const page = { page: 1, width: 160 };
const source = (bytes: Buffer | string, format: SourceFormat = 'pdf', owner = 'us'): Source => ({
  owner,
  format,
  open: async () => Readable.from([Buffer.from(bytes)]),
});

/** The processes of this one that render. */
async function workers(): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)]);
  return stdout
    .split('\n')
    .filter((line) => line.includes('render/worker'))
    .map((line) => Number.parseInt(line, 10));
}

test('a file that takes too long has its process killed; the next file gets a new one', async () => {
  const { render, copies } = await newRenderer({ timeout: 5 });
  const outcomes = await Promise.all([render(source(endlessPdf()), page), render(source(pdfOf()), page)]);
  expect(outcomes).toMatchObject([{ status: 'FAILED', reason: 'TIMED_OUT' }, { status: 'RENDERED' }]);
  expect(await workers()).toHaveLength(1);
  expect(await copies()).toEqual([]);
});

test('a process that dies takes its file with it and nothing else', async () => {
  const { render, copies } = await newRenderer();
  const doomed = render(source(endlessPdf()), page);
  await expect.poll(workers).toHaveLength(1);
  const next = render(source(pdfOf(), 'pdf', 'others'), page);
  await expect.poll(copies).toHaveLength(2);
  for (const pid of await workers()) process.kill(pid, 'SIGKILL');
  expect(await Promise.all([doomed, next])).toMatchObject([{ status: 'FAILED', reason: 'CRASHED' }, { status: 'RENDERED' }]);
  expect(await copies()).toEqual([]);
});

test('a store that fails is no fault of the file, and leaves no copy', async () => {
  const { render, copies } = await newRenderer();
  const broken = new Readable({ read: () => broken.destroy(new Error('connection lost')) });
  await expect(render({ ...source(''), open: async () => broken }, page)).rejects.toThrow('connection lost');
  expect(await render(source(pdfOf()), page)).toMatchObject({ status: 'RENDERED' });
  expect(await copies()).toEqual([]);
});

test.each<[string, () => Promise<Readable>]>([
  ['never answers', () => new Promise(() => {})],
  ['stops in the middle', async () => new Readable({ read() {} })],
])('a store that %s keeps no place for ever', async (_, open) => {
  const { render, copies } = await newRenderer({ fetchTimeout: 0.5 });
  const outcome = render({ ...source(''), open }, page);
  const others = [render({ ...source(''), owner: 'others', open }, page), render(source(pdfOf(), 'pdf', 'third'), page)];
  await expect(outcome).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('did not come from its storage') });
  expect(await Promise.allSettled(others)).toMatchObject([{ status: 'rejected' }, { value: { status: 'RENDERED' } }]);
  expect(await copies()).toEqual([]);
});

test('what a store opens too late is closed again', async () => {
  const { render } = await newRenderer({ fetchTimeout: 0.1 });
  const late = Readable.from(['x']);
  let answer = () => {};
  const open = () => new Promise<Readable>((resolve) => (answer = () => resolve(late)));
  await expect(render({ ...source(''), open }, page)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  answer();
  await expect.poll(() => late.destroyed).toBe(true);
});

describe('a process that dies as it draws a watermark', () => {
  const white = () =>
    sharp({ create: { width: 1600, height: 6400, channels: 3, background: 'white' } })
      .webp()
      .toBuffer();
  /** Kills the renderer's process so many times as soon as it has work. */
  async function kill(times: number, working: Promise<unknown>) {
    let over = false;
    working.finally(() => (over = true)).catch(() => {});
    const killed = new Set<number>();
    while (!over && killed.size < times) {
      for (const pid of (await workers()).filter((pid) => !killed.has(pid)).slice(0, 1)) {
        killed.add(pid);
        process.kill(pid, 'SIGKILL');
      }
    }
    return killed.size;
  }

  test('is replaced, and the watermark is drawn', async () => {
    const { watermark } = await newRenderer();
    const drawing = watermark('us', await white(), 'For Ada');
    expect(await kill(1, drawing)).toBe(1);
    expect((await sharp(await drawing).stats()).channels[0]?.min).toBeLessThan(250);
  });

  test('again and again is an error that says to try again, and no picture without it', async () => {
    const { watermark, render } = await newRenderer();
    const drawing = watermark('us', await white(), 'For Ada');
    await kill(2, drawing);
    await expect(drawing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await render(source(pdfOf()), page)).toMatchObject({ status: 'RENDERED' });
  });
});

test('whoever has too much waiting is told so; others get their turn before it is all done', async () => {
  const { render } = await newRenderer({ queue: 3 });
  const done: string[] = [];
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const ask = async (owner: string) => {
    const { open, ...rest } = source(pdfOf(), 'pdf', owner);
    await render({ ...rest, open: (signal) => begun.then(() => open(signal)) }, page);
    done.push(owner);
  };
  // One under way, three waiting.
  const many = Array.from({ length: 4 }, () => ask('greedy'));
  await expect(ask('greedy')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const one = ask('modest');
  begin();
  await Promise.all([...many, one]);
  expect(done.indexOf('modest')).toBeLessThanOrEqual(1);
  // With its work done it may ask again.
  await ask('greedy');
});

test('what a library prints comes as text, and not between our lines', async () => {
  const printed: string[] = [];
  const { render } = await newRenderer({ onOutput: (text) => printed.push(text) });
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"/>';
  expect(await render(source(svg, 'svg'), page)).toMatchObject({ status: 'FAILED' });
  await expect.poll(() => printed.join('')).toContain('out of range');
});

test('a watermark needs no font of the machine', async () => {
  const { watermark } = await newRenderer({ fonts: [] });
  const image = await sharp({ create: { width: 400, height: 400, channels: 3, background: 'white' } })
    .webp()
    .toBuffer();
  const inkOf = async (text: string) => {
    const { channels } = await sharp(await watermark('us', image, text))
      .greyscale()
      .stats();
    return 255 - (channels[0]?.mean ?? 255);
  };
  // Letters that no font has are boxes, each like the other.
  expect(await inkOf('WWWW')).toBeGreaterThan(3 * (await inkOf('....')));
});
