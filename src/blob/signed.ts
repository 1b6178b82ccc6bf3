import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { statusFault, unansweredFault } from './faults.js';
import type { HostGuard } from './hosts.js';
import type { Patience } from './patience.js';
import type { SignedRequest } from './store.js';
import { frozen, received } from './streams.js';

/** Sends a signed GET as a client without credentials would. Follows no redirect. @throws StorageError */
export async function fetchSigned({ url, headers }: SignedRequest, hosts: HostGuard, patience: Patience): Promise<Buffer> {
  const agents = hosts.agents({ keepAlive: false, maxSockets: 1 });
  const [client, agent] = url.startsWith('https:') ? [https, agents.httpsAgent] : [http, agents.httpAgent];
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = client.get(url, { agent, headers }, resolve);
    request.setTimeout(patience.answer, () => request.destroy(frozen()));
    request.on('error', (error) => reject(unansweredFault(error)));
  });
  const status = answer.statusCode ?? 0;
  if (status === 200) return buffer(received(answer, patience.answer, unansweredFault));
  discard(answer);
  throw statusFault({ code: 'on a signed request', status });
}

const discard = (answer: Readable) => answer.on('error', () => undefined).destroy();

/** When a request ends that is signed now. @param expiresIn in seconds */
export const expiryOf = (expiresIn: number) => new Date(Date.now() + expiresIn * 1000);
