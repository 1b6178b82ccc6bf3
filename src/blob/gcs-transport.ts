import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Storage } from '@google-cloud/storage';
import { foreign, unansweredFault } from './faults.js';
import type { GcsAnswer } from './gcs-client.js';
import { frozen, received } from './streams.js';

type Options = Parameters<Storage['authClient']['request']>[0];

/** What the client wants to know besides. */
interface Sent {
  config: Options;
  statusText: string;
  request: { responseURL: string };
}

/** Sends a request of the SDK's authorised client by the agent that comes with it. Follows no redirect. */
export async function byAgent<Answer>(options: Options): Promise<GcsAnswer<Answer> & Sent> {
  const answer = await answerTo(options);
  const { statusCode = 0, statusMessage = '' } = answer;
  const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
  const told = () => text(received(answer, options.timeout ?? 0, unansweredFault));
  const data = options.responseType === 'stream' ? answer : parsed(await told(), statusCode);
  // Whoever asks knows what the answer to it is.
  return { config: options, status: statusCode, statusText: statusMessage, headers, data: data as Answer, request: { responseURL: '' } };
}

function answerTo({ url, method, headers, body, agent, signal, timeout }: Options): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const address = String(url);
    const { request } = address.startsWith('https:') ? https : http;
    // Whoever sends by this gives an agent, not a function that finds one.
    const sent = request(address, { method, headers, agent: agent as http.Agent, signal });
    const timer = timeout ? setTimeout(() => sent.destroy(frozen()), timeout) : undefined;
    sent
      .on('response', resolve)
      .on('error', reject)
      .once('response', () => clearTimeout(timer))
      .once('close', () => clearTimeout(timer));
    if (body instanceof Readable) pipeline(body, sent).catch(reject);
    else sent.end(body);
  });
}

/** An answer may have no body, as that to a deletion; and faults may be told as texts. */
function parsed(body: string, status: number): unknown {
  try {
    return JSON.parse(body);
  } catch {
    if (body === '' || status >= 300) return body;
    throw notGcs();
  }
}

export const notGcs = () => foreign('the API of Google Cloud Storage');
