import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { getFile, openFile } from '../src/file/file.service.js';
import { sweepFiles } from '../src/file/file.sweeper.js';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { sweepUploads } from '../src/upload/upload.sweeper.js';
import type { Actor, World } from './world.js';

export const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** How often each fault strikes; 50 before a release. */
export const rounds = Number(process.env.DURABILITY_ROUNDS ?? 1);

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export async function newDocument(world: World, actor: Actor): Promise<string> {
  const { data } = await world.graphql(actor, 'mutation { createDocument(input: { name: "D" }) { ... on Document { id } } }');
  return data.createDocument.id;
}

/** Leases of a process that died run out. */
export function later({ gateway: { services } }: World, ms: number): void {
  const now = services.now().getTime() + ms;
  services.now = () => new Date(now);
}

/** After sweeps there are these files by their SHA-256, whole, and nothing else: no other row, no other object, no draft. */
export async function expectOnly(world: World, admin: Actor, files: Map<string, string>): Promise<void> {
  const { services, settings } = world.gateway;
  for (const days of [1.1, 2.1]) {
    later(world, days * DAY);
    for (const sweep of [sweepUploads, sweepFiles, sweepObjects]) await sweep(world.context(null));
  }
  await services.blobs.sweepTemporary(0, (reason) => expect.unreachable(String(reason)));
  const ctx = world.context(admin);
  const rows = await ctx.db.file.findMany({});
  expect(rows.map(({ id, state }) => [id, state]).sort()).toEqual([...files.keys()].map((id) => [id, 'READY']).sort());
  for (const [id, digest] of files) expect(sha256(await buffer(await openFile(ctx, await getFile(ctx, id))))).toBe(digest);
  expect(await ctx.db.stagedUpload.findMany({})).toEqual([]);
  const folder = join(settings.dataDir, 'blobs', admin.tenantId);
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const objects = found.filter((entry) => entry.isFile()).map((entry) => entry.name);
  expect(objects.sort()).toEqual(rows.map(({ objectKey }) => objectKey.split('/').at(-1)).sort());
}
