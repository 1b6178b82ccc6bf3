import { randomFillSync } from 'node:crypto';
import { monotonicFactory } from 'ulid';

/** Random bytes are bought wholesale: a system call for each character of an id would cost more than the rest of it. */
const pool = new Uint8Array(4096);
let used = pool.length;

function random(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
}

const next = monotonicFactory(random);

/** A new ULID: 26 characters, sortable by time, the same string on both doors. */
export const newId = (): string => next();

const shape = /^[a-zA-Z0-9._-]{8,40}$/;

/** Whether a text can be an id at all. What cannot is answered as "not found" without asking the database. */
export const isId = (text: string): boolean => shape.test(text);
