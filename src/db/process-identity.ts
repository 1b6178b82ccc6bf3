import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

const identity = z.object({
  pid: z.number().int().positive(),
  /** In clock ticks since the machine started; null where /proc is missing. */
  startTime: z.string().nullable(),
  /** Within one pid space, a pid names the same process for everyone. */
  pidSpace: z.string(),
  host: z.string(),
  nonce: z.string(),
});

/** Names one process for good: also when its pid has been given to another, as it is in containers all the time. */
export type ProcessIdentity = z.infer<typeof identity>;

/** The identity of this process, each time with another nonce. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, startTime: startTime(process.pid), pidSpace: pidSpace(), host: hostname(), nonce: randomUUID() };
}

/** Null when the text is no identity. */
export function parseIdentity(text: string): ProcessIdentity | null {
  try {
    return identity.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Null when it cannot be known from here: in another container, on another machine, or before the last boot. */
export function isRunning(other: ProcessIdentity): boolean | null {
  if (other.pidSpace !== pidSpace()) return null;
  try {
    process.kill(other.pid, 0);
  } catch (err) {
    // EPERM: it runs, as another user.
    if (!(err instanceof Error && 'code' in err && err.code === 'EPERM')) return false;
  }
  const now = startTime(other.pid);
  return now === null || other.startTime === null || now === other.startTime;
}

function startTime(pid: number): string | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === null) return null;
  // The second field, the name in parentheses, may hold anything; after it follow the state (3rd) and, as the 22nd, the start time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'dead' : (fields[19] ?? null);
}

function pidSpace(): string {
  const bootId = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return bootId && namespace ? `${bootId} ${namespace}` : hostname();
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
