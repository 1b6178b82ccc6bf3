import { beforeAll, expect } from 'vitest';
import { createObjects, type Objects } from './objects.js';
import { type Actor, useWorld } from './world.js';

export const MAX_FILE_SIZE = 64 * 1024;
/** It may call from a browser. */
export const origin = 'https://app.example.com';

/** A gateway with a small limit for files, and an admin with one of everything. */
export function useLimits() {
  const world = useWorld({
    MAX_FILE_SIZE: String(MAX_FILE_SIZE),
    CORS_ORIGINS: `${origin}, https://other.example.com`,
    LOG_LEVEL: 'info',
  });
  let admin: Actor;
  let objects: Objects;

  beforeAll(async () => {
    admin = world().actor('admin');
    objects = await createObjects(() => world().context(admin));
  });

  const post = (payload: unknown, headers: Record<string, string> = {}, actor: Actor | null = admin) =>
    world().inject(actor, {
      method: 'POST',
      url: '/graphql',
      headers: { 'content-type': 'application/json', ...headers },
      payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
    });

  /** The code and message that an operation is refused with. */
  async function refusal(payload: unknown, headers?: Record<string, string>) {
    const response = await post(payload, headers);
    const { data, errors } = response.json();
    expect(data ?? null).toBeNull();
    return { status: response.statusCode, code: errors[0].extensions.code, message: errors[0].message };
  }

  return { world, post, refusal, admin: () => admin, objects: () => objects };
}
