import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const generated = z.object({ jwtSecret: z.string(), secretsKey: z.string() });
export type GeneratedKeys = z.infer<typeof generated>;

/** The keys that an embedded Docgate made for itself, in a file that only its user can read. Production is given its keys. */
export async function generatedKeys(dataDir: string): Promise<GeneratedKeys> {
  const path = join(dataDir, 'keys.json');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const found = await readKeys(path);
  if (found) return found;
  await createKeys(path);
  return generated.parse(JSON.parse(await readFile(path, 'utf8')));
}

async function readKeys(path: string): Promise<GeneratedKeys | null> {
  try {
    return generated.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Linked into place: of two processes that start at once one makes the keys and both use them; a crash leaves none by half. */
async function createKeys(path: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const keys: GeneratedKeys = { jwtSecret: randomBytes(32).toString('base64url'), secretsKey: randomBytes(32).toString('base64') };
  await writeFile(draft, JSON.stringify(keys), { mode: 0o600, flush: true });
  try {
    await link(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(draft);
  }
}
