// Loaded into a server before its own code: answers each message of the benchmark with how late timers were since the last one.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('message', (message) => {
  if (message !== 'loop delay') return;
  process.send?.({ p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 });
  delay.reset();
});
// The channel alone must not keep the process alive.
process.channel?.unref();
