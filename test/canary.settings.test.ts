import { describe, expect, test } from 'vitest';
import { readSettings } from '../src/env.js';
import { openGateway } from '../src/gateway.js';
import { foundIn, leaks } from './canaries.js';
import { secret } from './canary.secrets.js';

describe('settings', () => {
  const wrong = (name: string) => secret(name, `c4n4ry-${name}`);
  test('that are wrong are named, and not shown', () => {
    const names = ['DATABASE_URL', 'SECRETS_KEYS', 'JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL', 'CLAMAV_URL'];
    const given = names.map((name) => ({ ...wrong(name), name }));
    const environment = Object.fromEntries(given.map(({ name, text }) => [name, text]));
    const read = () => readSettings({ ...environment, CLAMAV_URL: 'tcp://user:c4n4ry-CLAMAV_URL@127.0.0.1:3310' });
    expect(read).toThrow(/DATABASE_URL.*SECRETS_KEYS/s);
    try {
      read();
    } catch (error) {
      expect(foundIn(`${error} ${JSON.stringify(error)}`, given)).toEqual([]);
    }
  });

  test('a database that is not there is told without its password', async () => {
    const canary = secret('DATABASE_URL', 'c4n4ry-of-the-database');
    const logs: string[] = [];
    const settings = readSettings({ DATABASE_URL: `postgres://docgate:${canary.text}@127.0.0.1:9/docgate`, LOG_LEVEL: 'trace' });
    const opened = openGateway(settings, { write: (line) => void logs.push(line) });
    const error = await opened.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    const told = error instanceof Error ? `${error} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}` : '';
    expect(
      leaks(
        [
          { name: 'the error', text: told },
          { name: 'the log', text: logs.join('') },
        ],
        [canary],
      ),
    ).toEqual([]);
  });
});
