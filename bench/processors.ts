import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
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

const GROUPS = '/sys/fs/cgroup';
/** In microseconds. Short, so that a request seldom waits for the next one. */
const PERIOD = 10_000;

/** Lets a process have this part of one processor's time, by a control group of its own. Needs root; what undoes it is for when the process has ended. */
export function ration(pid: number, part: number): () => void {
  const unified = existsSync(`${GROUPS}/cgroup.controllers`);
  const group = `${GROUPS}/${unified ? '' : 'cpu/'}docgate-bench-${pid}`;
  mkdirSync(group);
  const quota = Math.round(part * PERIOD);
  if (unified) writeFileSync(`${group}/cpu.max`, `${quota} ${PERIOD}`);
  else {
    writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD));
    writeFileSync(`${group}/cpu.cfs_quota_us`, String(quota));
  }
  writeFileSync(`${group}/cgroup.procs`, String(pid));
  return () => rmdirSync(group);
}
