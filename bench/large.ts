/**
 * `npm run bench:large [-- <bytes>]`: how much memory a gateway holds while very large files come in, go out and go out
 * as a zip, over REST on local_fs. Fails on any byte that is not the one that was sent.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { signToken } from '../src/auth/token.js';
import { startPostgres } from './postgres.js';
import { peakMib } from './proc.js';
import { startDocgate } from './targets.js';

const MIB = 1024 * 1024;
const PORT = 54_498;
const secret = 'the secret of the benchmark, longer than 32 bytes';
const size = Number(process.argv[2] ?? 2048 * MIB);
const block = randomBytes(MIB);
const boundary = 'the-boundary-of-the-benchmark';
const token = signToken(secret, {
  issuer: 'docgate',
  audience: 'docgate',
  userId: randomUUID(),
  tenantId: randomUUID(),
  roles: ['admin'],
  expiresIn: 3600,
});

const dir = mkdtempSync(join(tmpdir(), 'docgate-large-'));
// PostgreSQL runs as another user and must get through.
chmodSync(dir, 0o755);
execFileSync('npm', ['run', '--silent', 'build'], { cwd: `${import.meta.dirname}/..`, stdio: 'inherit' });
const postgres = await startPostgres(`${dir}/postgres`, PORT);
const docgate = await startDocgate(
  'docgate',
  PORT + 1,
  { DATABASE_URL: postgres.url('postgres'), DATA_DIR: `${dir}/data`, JWT_SECRET: secret },
  token,
);
const pid = docgate.pid ?? 0;
try {
  await upload('a warm-up', [MIB]);
  process.stdout.write(`| what | MiB/s | peak RSS, MiB |\n|---|---|---|\n`);
  const whole = await measured(`upload of ${size / MIB} MiB`, size, () => upload('whole', [size]));
  await measured(`download of ${size / MIB} MiB`, size, () => download(whole, size));
  const half = Math.floor(size / 2);
  const halves = await measured(`upload of 2 × ${half / MIB} MiB`, 2 * half, () => upload('halves', [half, half]));
  await measured(`zip of 2 × ${half / MIB} MiB`, 2 * half, () => download(halves, 2 * half, 'application/zip'));
} finally {
  await docgate.stop();
  postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function measured<Result>(what: string, bytes: number, work: () => Promise<Result>): Promise<Result> {
  // Begins the peak anew.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const start = performance.now();
  const result = await work();
  const speed = Math.round(bytes / MIB / ((performance.now() - start) / 1000));

  process.stdout.write(`| ${what} | ${speed} | ${peakMib(pid)} |\n`);
  return result;
}

function* bytesOf(length: number) {
  for (let at = 0; at < length; at += block.length) yield block.subarray(0, Math.min(block.length, length - at));
}

function sha256(length: number): string {
  const hash = createHash('sha256');
  for (const bytes of bytesOf(length)) hash.update(bytes);
  return hash.digest('hex');
}

/** A document with files of these sizes. @returns the path of its files */
async function upload(name: string, sizes: number[]): Promise<string> {
  function* body() {
    const part = (head: string) => Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`);
    yield Buffer.concat([part('name="name"'), Buffer.from(`${name}\r\n`)]);
    for (const [index, length] of sizes.entries()) {
      yield part(`name="files"; filename="${index}.bin"`);
      yield* bytesOf(length);
      yield Buffer.from('\r\n');
    }
    yield Buffer.from(`--${boundary}--\r\n`);
  }
  const response = await send('POST', '/documents/', { 'content-type': `multipart/form-data; boundary=${boundary}` }, body());
  const answer = JSON.parse(Buffer.concat(await response.toArray()).toString());
  const checksums = (answer.files ?? []).map(({ checksum }: { checksum: string }) => checksum);
  if (String(checksums) !== String(sizes.map((length) => `sha256:${sha256(length)}`)))
    throw new Error(`not stored: ${JSON.stringify(answer)}`);
  return `/documents/${answer.id}/files/`;
}

/** Reads it all. Bytes are compared; of a zip, which checks them itself, it is the length. */
async function download(path: string, length: number, type = 'application/octet-stream'): Promise<void> {
  const response = await send('GET', path, {});
  const hash = createHash('sha256');
  let received = 0;
  await pipeline(response, async (source) => {
    for await (const chunk of source) {
      received += chunk.length;
      if (type !== 'application/zip') hash.update(chunk);
    }
  });
  if (response.headers['content-type'] !== type) throw new Error(`not ${type}, but ${response.headers['content-type']}`);
  if (type === 'application/zip' ? received < length : received !== length || hash.digest('hex') !== sha256(length))
    throw new Error(`other bytes came than were sent: ${received}`);
}

function send(method: string, path: string, headers: object, body: Iterable<Buffer> = []): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { authorization: `Bearer ${token}`, ...headers } };
    const outgoing = request(`${docgate.origin}${path}`, options, resolve).on('error', reject);
    pipeline(Readable.from(body, { objectMode: false }), outgoing).catch(reject);
  });
}
