/** A copy of the gateway that only moves files, its clock ahead by so many minutes. Is killed by test/move.test.ts. */
import { readSettings } from '../src/env.js';
import { openGateway } from '../src/gateway.js';
import { startMover } from '../src/jobs/mover.js';

const [ahead = '0'] = process.argv.slice(2);
const { services } = await openGateway(readSettings());
await startMover({ ...services, now: () => new Date(Date.now() + Number(ahead) * 60_000) }, false);
process.stdout.write('moving\n');
setInterval(() => {}, 60_000);
