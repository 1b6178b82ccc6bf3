import { describe, expect, test } from 'vitest';
import type { BlobStore } from '../src/blob/store.js';
import { createScanner } from '../src/scan/scanner.js';
import { completeUpload } from '../src/upload/complete.service.js';
import { createUpload } from '../src/upload/upload.service.js';
import { answering, fakeClamd } from './clamd.js';
import { type Announced, bytes, HOUR, requestFields, sha256, useUploads } from './uploads.world.js';

const { world, create, complete, send, left, sweepAfter, editor, documentId } = useUploads();

describe('the policy', () => {
  test('an infected file in parts stays infected for whoever asks again', async () => {
    const address = await fakeClamd(answering('stream: Eicar-Test FOUND'));
    world().gateway.services.scanner = createScanner({ address, policy: 'fail-closed', timeout: 5000 }, () => {});
    const { id, requests } = await create();
    await send(requests[0]);
    for (let times = 0; times < 2; times += 1) expect(await complete(id)).toMatchObject({ __typename: 'FileInfectedError' });
    expect((await left()).files).toEqual(['QUARANTINED']);
  });

  test('a scanner that is back lets the same upload be completed', async () => {
    const { id, requests } = await create();
    await send(requests[0]);
    const { services } = world().gateway;
    services.scanner = createScanner({ address: { host: '127.0.0.1', port: 1 }, policy: 'fail-closed', timeout: 5000 }, () => {});
    expect(await complete(id)).toMatchObject({ code: 'UNAVAILABLE' });
    services.scanner = null;
    expect(await complete(id)).toMatchObject({ __typename: 'File', sha256 });
  });

  test('as many uploads as a user may have open, exactly, however many are announced at once', async () => {
    world().gateway.services.limits.maxOpenUploads = 3;
    const made = await Promise.all(Array.from({ length: 6 }, () => create()));
    expect(made.map(({ __typename }) => __typename).sort()).toEqual([...Array(3).fill('ConflictError'), ...Array(3).fill('StagedUpload')]);
    expect((await create({}, world().actor('editor', editor().tenantId))).__typename).toBe('StagedUpload');
  });

  test.each<[Announced, string]>([
    [{ size: -1 }, 'size'],
    [{ size: 1.5 }, 'size'],
    [{ sha256: 'abc' }, 'sha256'],
    [{ partSize: 0 }, 'partSize'],
    [{ size: 20_000, partSize: 1 }, 'PAYLOAD'],
  ])('nonsense is refused: %j', async (input, said) => {
    const { code, message } = await create(input);
    expect(`${code} ${message}`).toContain(said);
  });
});

describe('a process that stops between two steps of a completion', () => {
  const steps = ['multipart.complete', 'head', 'copy', 'get', 'delete'] as const;

  /** From now on this step of every store is begun, or also done, and never comes back. */
  function stopAt(step: (typeof steps)[number], when: 'before' | 'after') {
    const { blobs } = world().gateway.services;
    const { open } = blobs;
    let stopped: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const freeze =
      <Args extends unknown[]>(act: (...args: Args) => Promise<unknown>) =>
      async (...args: Args): Promise<never> => {
        if (when === 'after') await act(...args);
        stopped();
        return new Promise<never>(() => {});
      };
    blobs.open = async (address) => {
      const store = await open(address);
      const frozen: Partial<BlobStore> =
        step === 'multipart.complete'
          ? { multipart: { ...store.multipart, complete: freeze(store.multipart.complete) } }
          : { [step]: freeze(store[step] as (...args: unknown[]) => Promise<unknown>) };
      return { ...store, ...frozen };
    };
    return {
      reached,
      restore: () => {
        blobs.open = open;
      },
    };
  }

  test.each(steps.flatMap((step) => (['before', 'after'] as const).map((when) => [when, step] as const)))(
    '%s %s loses nothing: once its lease is over another makes the file, and nothing is left over',
    async (when, step) => {
      const upload = await createUpload(world().context(editor()), { documentId: documentId(), name: 'a.pdf', size: bytes.length, sha256 });
      const { data } = await world().graphql(editor(), `{ upload(id: "${upload.id}") { requests { ${requestFields} } } }`);
      await send(data.upload.requests[0]);
      const { reached, restore } = stopAt(step, when);
      void completeUpload(world().context(editor()), upload.id).catch(() => {});
      await reached;
      restore();
      const retried = step === 'delete' ? 'File' : 'ConflictError';
      expect((await complete(upload.id)).__typename).toBe(retried);
      await sweepAfter(2 * 60_000);
      expect(await complete(upload.id)).toMatchObject({ __typename: 'File', sha256 });
      await sweepAfter(26 * HOUR);
      expect(await left()).toEqual({ files: ['READY'], uploads: [], blobs: 1 });
    },
  );
});
