import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: what /proc counts CPU time in. It is 100 on every Linux. */
const TICKS_PER_SECOND = 100;

/** CPU time that a process has used, in ms; with `children` that of its children, living and dead, as well. */
export function cpuMs(pid: number, children = false): number {
  if (!children) return own(pid);
  return own(pid) + reaped(pid) + childrenOf(pid).reduce((sum, child) => sum + own(child), 0);
}

/** The living ones. */
export function childrenOf(pid: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.map(Number).filter((process) => parentOf(process) === pid);
}

/** The most memory that a process ever held, in MiB. */
export const peakMib = (pid: number): number => Math.round(Number(/VmHWM:\s+(\d+)/.exec(read(pid, 'status'))?.[1] ?? 0) / 1024);

/** What it holds now, in MiB. */
export const rssMib = (pid: number): number => Math.round(Number(/VmRSS:\s+(\d+)/.exec(read(pid, 'status'))?.[1] ?? 0) / 1024);

const own = (pid: number) => ((field(pid, 14) + field(pid, 15)) * 1000) / TICKS_PER_SECOND;
const reaped = (pid: number) => ((field(pid, 16) + field(pid, 17)) * 1000) / TICKS_PER_SECOND;
const parentOf = (pid: number) => field(pid, 4);

/** A field of /proc/PID/stat by its number in proc(5). The command, field 2, may contain spaces. */
function field(pid: number, number: number): number {
  const stat = read(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3] ?? 0);
}

/** Empty when the process has ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
