import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sweepObjects } from '../src/file/removal.sweeper.js';
import { runMoves } from '../src/move/move.runner.js';
import { cancelMove, moveStorage } from '../src/move/move.service.js';
import type { StorageRow } from '../src/storage/storage.service.js';
import { providers } from './blob.drivers.js';
import { useBundled } from './bundled.js';
import { serverUrl } from './db.scratch.js';
import { HOUR, useMoves } from './move.world.js';

const { world, system, newStorage, filed, standing, keysOf, bytesOf, replace } = useMoves();

describe.each(providers.filter(({ isRemote }) => isRemote))('a move between the local disk and $name', ({ open }) => {
  test('brings every byte there and back, leaves nothing behind, and does not take what is damaged', async () => {
    const admin = world().actor('admin');
    const [local, remote, place] = [await newStorage(admin), await newStorage(admin), await open()];
    const { blobs } = world().gateway.services;
    const usual = blobs.open;
    blobs.open = async (address) => (address.bucket === remote.bucket ? place.store : usual(address));
    onTestFinished(async () => {
      blobs.open = usual;
      await place.close();
    });
    const contents = ['ünï', '', 'x'.repeat(2 * 1024 ** 2)];
    const document = await filed(admin, local.id, ...contents);
    const move = async (to: StorageRow) => {
      const { id } = await moveStorage(world().context(admin), { toStorageId: to.id, documentIds: [document.id] });
      await runMoves(system());
      await sweepObjects(system(HOUR));
      return { id, ...(await standing(admin, id)), left: [(await keysOf(admin, local)).length, (await keysOf(admin, remote)).length] };
    };
    const served = () => Promise.all(document.files.map(({ id }) => bytesOf(admin, id)));
    expect(await move(remote)).toMatchObject({ status: 'DONE', files: 3, left: [0, 3] });
    expect(await served()).toEqual(contents);
    expect(await move(local)).toMatchObject({ status: 'DONE', files: 3, left: [3, 0] });
    expect(await served()).toEqual(contents);
    await move(remote);
    const [key = ''] = await keysOf(admin, remote);
    await replace(place.store, key, 'wrong');
    const stuck = await move(local);
    expect(stuck).toMatchObject({ status: 'RUNNING', pending: 1, done: 0 });
    expect(await keysOf(admin, remote)).toContain(key);
    await cancelMove(world().context(admin), stuck.id, {});
  });
});

/** Across processes, hence on a server: the one that moves is killed, this one reads. */
describe.runIf(serverUrl)('a move of 500 files under read load, its process killed twice', () => {
  const program = 'test/move.child.ts';
  const bundled = useBundled(program);

  test('no read fails or gives other bytes; all files arrive; no object is left over', async () => {
    const admin = world().actor('admin');
    const [from, to] = [await newStorage(admin), await newStorage(admin)];
    const documents = [];
    for (let index = 0; index < 100; index += 1) {
      documents.push(await filed(admin, from.id, ...Array.from({ length: 5 }, () => randomBytes(500).toString('hex'))));
    }
    const files = documents.flatMap((document) => document.files);
    const reads = { good: 0, bad: [] as string[], over: false };
    const readers = [0, 1].map(async () => {
      while (!reads.over) {
        const file = files[Math.floor(Math.random() * files.length)];
        const answer = await world().inject(admin, { url: `/files/${file?.id}` });
        const right = answer.statusCode === 200 && createHash('sha256').update(answer.rawPayload).digest('hex') === file?.sha256;
        if (right) reads.good += 1;
        else reads.bad.push(`${answer.statusCode} ${answer.body.slice(0, 200)}`);
        await sleep(2);
      }
    });
    onTestFinished(async () => {
      reads.over = true;
      await Promise.all(readers);
    });
    const move = await moveStorage(world().context(admin), { toStorageId: to.id, filter: { storageId: from.id } });
    const moved = async () => (await standing(admin, move.id)).files;
    for (const [minutes, until] of [
      [0, 150],
      [20, 320],
      [40, 500],
    ] as const) {
      const child = await startMoving(bundled(program), minutes);
      await expect.poll(moved, { timeout: 120_000, interval: 50 }).toBeGreaterThanOrEqual(until);
      if (until === 500) await expect.poll(async () => (await standing(admin, move.id)).status, { timeout: 120_000 }).toBe('DONE');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    reads.over = true;
    await Promise.all(readers);
    expect(reads.bad).toEqual([]);
    expect(reads.good).toBeGreaterThan(100);
    await sweepObjects(system(24 * HOUR));
    const rows = await world().context(admin).db.file.findMany({});
    expect(new Set(rows.map(({ storageId }) => storageId))).toEqual(new Set([to.id]));
    expect(await keysOf(admin, from)).toEqual([]);
    expect(await keysOf(admin, to)).toEqual(rows.map(({ objectKey }) => objectKey).sort());
  }, 480_000);
});

async function startMoving(program: string, minutesAhead: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, String(minutesAhead)], {
    env: { ...process.env, ...world().environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout ?? child, 'data');
  return child;
}
