import https from 'node:https';
import { connect } from 'node:net';
import { createHostGuard, type HostGuard } from '../src/blob/hosts.js';

/** A guard whose https connections all go to this server, without TLS: it stands for a host that cannot be reached from a test. */
export const leadTo = (host: string): HostGuard => {
  const { hostname, port } = new URL(`http://${host}`);
  const guard = createHostGuard([]);
  return {
    ...guard,
    agents: ({ keepAlive, maxSockets }) => {
      const httpsAgent = new https.Agent({ keepAlive, maxSockets });
      httpsAgent.createConnection = () => connect(Number(port), hostname);
      return { ...guard.agents({ keepAlive, maxSockets }), httpsAgent };
    },
  };
};
