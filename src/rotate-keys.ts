import { type Rotation, rotateSecrets } from './db/rotate.js';
import { readSettings } from './env.js';
import { openGateway } from './gateway.js';

/** `npm run rotate-keys`: puts every secret under the first of SECRETS_KEYS, beside running copies. */
async function rotate(): Promise<boolean> {
  const { database, services } = await openGateway(readSettings());
  try {
    const rotations = await rotateSecrets(database.pool, services.secrets);
    process.stdout.write(rotations.map(report).join(''));
    return rotations.every(({ unreadable }) => unreadable.length === 0);
  } finally {
    await database.close();
  }
}

function report({ table, column, rotated, unreadable }: Rotation): string {
  const lost = unreadable.map(({ tenantId, id }) => `  not readable with these keys: tenant ${tenantId}, id ${id}\n`);
  return `${table}.${column}: ${rotated} put under the current key\n${lost.join('')}`;
}

try {
  const complete = await rotate();
  if (!complete) process.stderr.write('Some secrets are under keys that are not in SECRETS_KEYS. Add those keys and run this again.\n');
  process.exitCode = complete ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
