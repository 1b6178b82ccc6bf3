import cluster from 'node:cluster';
import { supervise } from './cluster.js';
import { readSettings } from './env.js';
import { createLogger } from './log.js';
import { serve } from './serve.js';

try {
  const settings = readSettings();
  if (cluster.isPrimary && settings.processes > 1) {
    supervise({ workers: settings.processes, shutdownGrace: settings.shutdownGrace, log: createLogger(settings.logLevel) });
  } else {
    await serve(settings, cluster.worker ?? null);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.name === 'Error' ? error.stack : error.message) : String(error)}\n`);
  process.exit(1);
}
