import { createHash } from 'node:crypto';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DataDirInUseError, lockDataDir } from '../src/db/lock.js';
import { thisProcess } from '../src/db/process-identity.js';
import { scratchDir, startChild } from './db.scratch.js';

async function emptyDir(): Promise<string> {
  const { dir, remove } = await scratchDir();
  onTestFinished(remove);
  return dir;
}

/** A data directory with the lock of that process, which has no say in it. */
async function dirLockedBy(holder: Partial<ReturnType<typeof thisProcess>>): Promise<string> {
  const dir = await emptyDir();
  await writeFile(join(dir, 'lock'), JSON.stringify({ ...thisProcess(), ...holder }));
  return dir;
}

const refusal = (dir: string, pid: number | undefined) =>
  expect.objectContaining({ message: `DATA_DIR ${dir} is in use by process ${pid}; stop it or choose another DATA_DIR.` });

test('a second process is refused and told the first one; after kill -9 the next gets the lock', async () => {
  const dir = await emptyDir();
  const first = startChild('lock', dir);
  expect(await first.next()).toBe('ready');
  first.process.stdin?.write('go\n');
  expect(await first.next()).toBe('held');
  await expect(lockDataDir(dir)).rejects.toEqual(refusal(dir, first.process.pid));
  await first.kill();
  const lock = await lockDataDir(dir);
  expect(JSON.parse(await readFile(join(dir, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
  expect(await readdir(dir)).toEqual([]);
});

test('this process itself is refused the second time, until it releases', async () => {
  const dir = await emptyDir();
  const lock = await lockDataDir(dir);
  await expect(lockDataDir(dir)).rejects.toEqual(refusal(dir, process.pid));
  await lock.release();
  await (await lockDataDir(dir)).release();
});

test.runIf(process.platform === 'linux')('a pid that was given to another process, or to this one, holds nothing', async () => {
  for (const pid of [process.ppid, process.pid]) {
    const dir = await dirLockedBy({ pid, startTime: '1' });
    await (await lockDataDir(dir)).release();
  }
});

test('a damaged lock holds nothing', async () => {
  const dir = await emptyDir();
  await writeFile(join(dir, 'lock'), '');
  await (await lockDataDir(dir)).release();
});

test('a process that cannot be looked up holds its lock as long as it touches it', async () => {
  const dir = await dirLockedBy({ pid: 1, pidSpace: 'another container', host: 'elsewhere' });
  const heartbeat = setInterval(() => void utimes(join(dir, 'lock'), new Date(), new Date()), 50);
  await expect(lockDataDir(dir, 300)).rejects.toThrow('is in use by process 1 on elsewhere;');
  clearInterval(heartbeat);
  await (await lockDataDir(dir, 300)).release();
});

test('of many that race for a stale lock exactly one gets it, also when the dead died while taking over', async () => {
  for (let round = 0; round < 20; round++) {
    const dir = await dirLockedBy({ pid: 2 ** 22 + 1 });
    const stale = await readFile(join(dir, 'lock'));
    const guard = `lock.${createHash('sha256').update(stale).digest('hex').slice(0, 16)}`;
    if (round % 2) await writeFile(join(dir, guard), JSON.stringify({ ...thisProcess(), pid: 2 ** 22 + 2 }));
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => lockDataDir(dir)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    expect(results.filter((result) => result.status === 'rejected' && !(result.reason instanceof DataDirInUseError))).toEqual([]);
    expect(await readdir(dir)).toEqual(['lock']);
    await won[0]?.value.release();
  }
});

test('processes racing for a stale lock: one holds it, the others name it', async () => {
  const dir = await dirLockedBy({ pid: 2 ** 22 + 1 });
  const racers = Array.from({ length: 4 }, () => startChild('lock', dir));
  for (const racer of racers) expect(await racer.next()).toBe('ready');
  for (const racer of racers) racer.process.stdin?.write('go\n');
  const outcomes = await Promise.all(racers.map((racer) => racer.next()));
  const winner = racers[outcomes.indexOf('held')];
  const refused = `refused ${winner?.process.pid}`;
  expect(outcomes.toSorted()).toEqual(['held', refused, refused, refused]);
});
