import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { completeUpload } from '../src/upload/complete.service.js';
import { createUpload, nextRequests } from '../src/upload/upload.service.js';
import { serverUrl } from './db.scratch.js';
import { expectOnly, later, MINUTE, newDocument, rounds, sha256 } from './durability.checks.js';
import { type Child, useGateways } from './durability.gateway.js';
import { type Actor, useWorld } from './world.js';

const MiB = 1024 * 1024;
const world = useWorld();

afterEach(() => {
  world().gateway.services.now = () => new Date();
});

/** Across processes, hence on a server: one is killed, this one looks at what it left. */
describe.runIf(serverUrl)('kill -9', () => {
  const startGateway = useGateways(world);

  /** Whether the file is there although nobody heard of it. */
  const points: [point: string, published: boolean][] = [
    ['before the parts are joined', false],
    ['after the parts are joined', false],
    ['before the copy', false],
    ['after the copy', false],
    ['before the commit', false],
    ['after the commit', true],
    ['before clearing', true],
    ['in clearing', true],
  ];

  // At every other point the first client tries again, at the rest it does not, and so in turn.
  test.each(points.map(([point, published], index) => [point, published, index] as const))(
    'of a completion %s: whoever tries again gets the file, whoever does not leaves nothing over',
    async (point, published, index) => {
      const admin = world().actor('admin');
      const documentId = await newDocument(world(), admin);
      const files = new Map<string, string>();
      for (let round = 0; round < rounds; round += 1) {
        const child = await startGateway(point, 1);
        const bytes = randomBytes(100_000);
        const input = { documentId, name: 'a.bin', size: bytes.length, partSize: 40_000, sha256: sha256(bytes) };
        const upload = await createUpload(world().context(admin), input);
        for (const { url, offset, size } of await nextRequests(world().context(admin), upload)) {
          const { pathname, search } = new URL(url);
          const body = new Uint8Array(bytes.subarray(offset, offset + size));
          expect((await fetch(child.address + pathname + search, { method: 'PUT', body })).status).toBe(200);
        }
        await dies(child, () => post(child, admin, `/uploads/${upload.id}/complete/`));
        if (published || (index + round) % 2 === 0) {
          later(world(), 2 * MINUTE);
          const file = await completeUpload(world().context(admin), upload.id);
          expect(file.sha256).toBe(sha256(bytes));
          files.set(file.id, file.sha256 ?? '');
        }
      }
      await expectOnly(world(), admin, files);
    },
    120_000 + rounds * 10_000,
  );

  test.each(['after a part', 'after the object', 'after the copy'])(
    'of a PATCH over tus %s: it is resumed from where HEAD says, and the file is whole',
    async (point) => {
      const admin = world().actor('admin');
      const documentId = await newDocument(world(), admin);
      const files = new Map<string, string>();
      for (let round = 0; round < rounds; round += 1) {
        const child = await startGateway(point, point === 'after a part' ? 2 : 1);
        const bytes = randomBytes(17 * MiB);
        const input = { documentId, name: 'a.bin', size: bytes.length, sha256: sha256(bytes) };
        const { id } = await createUpload(world().context(admin), input, { inOrder: true });
        // What ends in the middle of a part is an object of its own.
        const first = point === 'after the object' ? bytes.subarray(0, 3 * MiB) : bytes;
        await dies(child, () => patch(child, admin, id, first));
        later(world(), 2 * MINUTE);
        const at = await offsetOf(admin, id);
        expect(at).toBeLessThanOrEqual(bytes.length);
        if (point === 'after a part') expect(at).toBe(8 * MiB);
        if (at < bytes.length) {
          const headers = { ...version, 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream' };
          const sent = { method: 'PATCH' as const, url: `/uploads/${id}/`, headers, payload: bytes.subarray(at) };
          expect((await world().inject(admin, sent)).statusCode).toBe(204);
        }
        const file = await completeUpload(world().context(admin), id);
        files.set(file.id, sha256(bytes));
      }
      await expectOnly(world(), admin, files);
    },
    120_000 + rounds * 10_000,
  );

  const version = { 'tus-resumable': '1.0.0' };

  async function offsetOf(admin: Actor, id: string): Promise<number> {
    const head = await world().inject(admin, { method: 'HEAD', url: `/uploads/${id}/`, headers: version });
    expect(head.statusCode).toBe(200);
    return Number(head.headers['upload-offset']);
  }

  async function dies(child: Child, act: () => Promise<unknown>): Promise<void> {
    const gone = once(child.process, 'exit');
    await expect(act()).rejects.toThrow('fetch failed');
    expect(await gone).toEqual([null, 'SIGKILL']);
  }

  const post = (child: Child, { token }: Actor, path: string) =>
    fetch(child.address + path, { method: 'POST', headers: { authorization: `Bearer ${token}` } });

  const patch = (child: Child, { token }: Actor, id: string, body: Buffer) =>
    fetch(`${child.address}/uploads/${id}/`, {
      method: 'PATCH',
      headers: { ...version, authorization: `Bearer ${token}`, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      body: new Uint8Array(body),
    });
});
