/** Run by the tests as a process of its own, to be killed: node --import tsx test/db.child.ts lock|write <dataDir>. */
import { once } from 'node:events';
import { openEmbeddedPool } from '../src/db/embedded.js';
import { DataDirInUseError, lockDataDir } from '../src/db/lock.js';

const [, , task, dataDir = ''] = process.argv;

/** Waits for a line, tries once, says how that went, and stays. */
async function lock(): Promise<void> {
  console.log('ready');
  await once(process.stdin, 'data');
  const outcome = await lockDataDir(dataDir).then(
    () => 'held',
    (err: unknown) => (err instanceof DataDirInUseError ? `refused ${err.pid}` : String(err)),
  );
  console.log(outcome);
}

/** Says how many rows it finds, then each that it has committed. */
async function write(): Promise<void> {
  const { pool } = await openEmbeddedPool(dataDir);
  await pool.query('CREATE TABLE IF NOT EXISTS written (n int PRIMARY KEY, filler text NOT NULL)');
  const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int FROM written');
  const found = rows[0]?.count ?? 0;
  console.log(found);
  for (let n = found + 1; ; n++) {
    await pool.query(`INSERT INTO written VALUES ($1, repeat('x', 500))`, [n]);
    console.log(n);
  }
}

await (task === 'lock' ? lock() : write());
