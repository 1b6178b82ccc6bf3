import { StorageError } from './errors.js';

/** Prisma's and node's codes for "cannot reach the database" and "no connection in time". */
const outages = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08006',
  '08001',
  '40P01',
  '40001',
]);

/** What the driver says, without a code, when a connection breaks or none is to be had. */
const lost = /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/;

/** Whether an error says that the database could not be asked, rather than that the program is wrong. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof StorageError) return false;
  if ('code' in error && typeof error.code === 'string' && outages.has(error.code)) return true;
  if (lost.test(error.message)) return true;
  return error.cause !== undefined && isOutage(error.cause);
}
