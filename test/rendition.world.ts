import sharp from 'sharp';
import { beforeAll, onTestFinished, vi } from 'vitest';
import { createDocument } from '../src/document/document.service.js';
import type { FileRow } from '../src/file/file.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { incoming } from './objects.js';
import { type Actor, useWorld } from './world.js';

export const picture = (width: number, height: number, colour = 'white') =>
  sharp({ create: { width, height, channels: 3, background: colour } });

export type Make = () => Buffer | string | Promise<Buffer>;

/** The colour of a point, sides counted from 0 to 1. */
export async function colourAt(image: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const start = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
  return [...data.subarray(start, start + 3)];
}

export const isNear = (found: number[], wanted: number[]) => found.every((value, index) => Math.abs(value - (wanted[index] ?? 0)) < 25);
export const RED = [255, 0, 0];
export const WHITE = [255, 255, 255];

/** A tenant whose files are drawn. */
export function useRenditions() {
  const world = useWorld();
  let ours: Actor;
  beforeAll(() => {
    ours = world().actor('admin');
  });
  const ctx = () => world().context(ours);

  async function newFile(name: string, bytes: Buffer | string, type?: string, actor = ours): Promise<FileRow> {
    const context = world().context(actor);
    const { id } = await createDocument(context, { name });
    const { files } = await uploadFiles(world().context(actor), id, incoming({ name, bytes, type }));
    const [file] = files;
    if (!file) throw new Error('nothing was uploaded');
    return file;
  }

  /** Counts what the renderer is asked for until the test ends. */
  function watchRenderer() {
    const spies = [vi.spyOn(world().gateway.services.renderer, 'render'), vi.spyOn(world().gateway.services.renderer, 'countPages')];
    onTestFinished(() => {
      for (const spy of spies) spy.mockRestore();
    });
    return () => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  }
  return { world, ctx, newFile, watchRenderer, ours: () => ours };
}
