import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server in front of another one, which stands between them as badly as it is told. */
export interface FaultyProxy {
  /** "127.0.0.1:41234", as STORAGE_HOSTS takes it. */
  host: string;
  /** What is wrong from now on; null: nothing. Forgets the requests so far. */
  break(fault: Fault | null): void;
  /** The methods of the requests since then. */
  requests(): string[];
  stop(): Promise<void>;
}

/** What goes wrong with a request. */
export interface Fault {
  /** With which ones; all if left out. */
  methods?: string[];
  /** So many of them pass before. */
  after?: number;
  /** With how many of them; with all if left out. */
  times?: number;
  /** They are answered with this status and go nowhere. */
  status?: number;
  /** In the body of that answer. */
  text?: string;
  /** They are read and never answered. */
  frozen?: boolean;
  /** They reach the other server, but its answer goes no further. */
  unanswered?: boolean;
  /** Their bodies break off after so many bytes. */
  cutUp?: number;
  /** The bodies of their answers break off after so many bytes. */
  cutDown?: number;
  /** The bodies of their answers stop after so many bytes, and the connection stays. */
  freezeDown?: number;
  /** Each piece of either body waits so long, in milliseconds. */
  slow?: number;
}

/** @param target "127.0.0.1:10000" */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(`http://${target}`);
  let fault: Fault | null = null;
  let [before, left] = [0, 0];
  let seen: string[] = [];

  const faultOf = (method: string): Fault => {
    if (!fault || left === 0 || !(fault.methods?.includes(method) ?? true)) return {};
    if (before > 0) {
      before -= 1;
      return {};
    }
    left -= 1;
    return fault;
  };
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url, headers, socket } = request;
    seen.push(method);
    const { status, text = 'a fault', frozen, unanswered, cutUp, cutDown, freezeDown, slow } = faultOf(method);
    if (frozen) return void request.resume();
    if (status !== undefined) {
      request.resume();
      await once(request, 'end');
      return void response.writeHead(status, { 'content-type': 'text/plain' }).end(method === 'HEAD' ? undefined : text);
    }
    const out = send({ hostname, port, method, path: url, headers, agent: false });
    const answered = once(out, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => undefined);
    const broken = () => {
      out.destroy();
      socket.destroy();
    };
    await pipeline(request, passing({ cut: cutUp, slow, broken }), out).catch(broken);
    const [answer] = await answered;
    if (unanswered) return void answer.resume();
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    await pipeline(answer, passing({ cut: cutDown, freeze: freezeDown, slow, broken: () => socket.destroy() }), response);
  }

  const server = createServer((request, response) => {
    // What breaks is meant to.
    const { socket } = request;
    handle(request, response).catch(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`, // It listens on a port.
    break(next) {
      fault = next;
      before = next?.after ?? 0;
      left = next?.times ?? Number.POSITIVE_INFINITY;
      seen = [];
    },
    requests: () => seen,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

interface Passing {
  cut?: number;
  freeze?: number;
  slow?: number;
  broken: () => void;
}

function passing({ cut, freeze, slow = 0, broken }: Passing): Transform {
  let passed = 0;
  return new Transform({
    async transform(chunk: Buffer, _, done) {
      if (slow > 0) await sleep(slow);
      const end = Math.min(cut ?? Number.POSITIVE_INFINITY, freeze ?? Number.POSITIVE_INFINITY) - passed;
      passed += chunk.length;
      if (chunk.length <= end) return done(null, chunk);
      this.push(chunk.subarray(0, Math.max(0, end)));
      if (cut === undefined) return;
      // What was passed on arrives first.
      setTimeout(broken, 20);
    },
  });
}
