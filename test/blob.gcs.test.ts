import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createGcsStore } from '../src/blob/gcs.js';
import { createHostGuard } from '../src/blob/hosts.js';
import { type GcsDouble, startGcsDouble } from './gcs.double.js';

let gcs: GcsDouble;
beforeAll(async () => {
  gcs = await startGcsDouble();
});
afterAll(() => gcs.stop());

const open = () => createGcsStore(gcs.makeBucket(), gcs.credentials, { hosts: createHostGuard([gcs.host]) });

describe('Google Cloud Storage', () => {
  it('is not left for what STORAGE_EMULATOR_HOST says', () => {
    vi.stubEnv('STORAGE_EMULATOR_HOST', 'http://127.0.0.1:9');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { endpoint, ...credentials } = gcs.credentials;
    for (const given of [credentials, gcs.credentials])
      expect(() => createGcsStore('bucket', given, { hosts: createHostGuard([gcs.host]) })).toThrow(
        expect.objectContaining({ reason: 'MISCONFIGURED', message: expect.stringContaining('STORAGE_EMULATOR_HOST') }),
      );
    expect(endpoint).toBe(`http://${gcs.host}`);
  });

  it.each([
    ['storage.objects.create', ['write']],
    ['storage.objects.get', ['read a range']],
    ['storage.objects.list', ['list']],
    ['storage.objects.delete', ['delete']],
  ])('without %s fails exactly that step of a probe, and names it', async (right, failed) => {
    const store = open();
    gcs.denied.add(right);
    onTestFinished(() => gcs.denied.clear());
    const checks = (await store.probe()).filter(({ ok }) => !ok);
    expect(checks.map(({ name }) => name)).toEqual(failed);
    expect(checks[0]?.detail).toContain(`Grant ${right}`);
  });
});
