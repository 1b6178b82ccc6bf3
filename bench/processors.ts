import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { childrenOf } from './proc.js';

/** Those of this machine, as taskset names them. */
export const all = `0-${availableParallelism() - 1}`;
const others = `1-${availableParallelism() - 1}`;

/** Where the main thread of a process runs; what it starts from now on inherits it. */
export const pin = (pid: number, processors: string): void =>
  void execFileSync('taskset', ['-cp', processors, String(pid)], { stdio: 'ignore' });

/** Gives a server the first processor; this process, and PostgreSQL with its sessions, keep to the others. Returns what undoes it. */
export function setApart(server: number, postgres: number): () => void {
  const rest = [process.pid, postgres, ...childrenOf(postgres)];
  pin(server, '0');
  for (const pid of rest) pin(pid, others);
  return () => {
    for (const pid of [server, ...rest]) pin(pid, all);
  };
}
