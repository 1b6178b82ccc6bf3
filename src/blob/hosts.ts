import { lookup as resolveName } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import ipaddr from 'ipaddr.js';
import { StorageError } from '../errors.js';

/** Keeps tenants, who may name any endpoint, from reaching what only this server can reach. */
export interface HostGuard {
  /** Refuses an endpoint that could never be connected to: saying so early is kinder. @throws StorageError MISCONFIGURED */
  check(endpoint: string): void;
  /** Whether the operator lets Docgate use this host even if it is private or without TLS. */
  isAllowed(host: string, port: number | string): boolean;
  /** Agents that judge each address they are about to connect to, after its name was resolved, and connect to no other. */
  agents(options: AgentOptions): Agents;
}

export interface AgentOptions {
  keepAlive: boolean;
  maxSockets: number;
  /** How long a connection may be silent before it is closed with ETIMEDOUT, in milliseconds; for ever by default. */
  silence?: number;
}

export interface Agents {
  httpAgent: http.Agent;
  httpsAgent: https.Agent;
}

/** Closes the connections that are kept for further requests; those of running requests when they end. */
export function closeIdle({ httpAgent, httpsAgent }: Agents): void {
  for (const agent of [httpAgent, httpsAgent]) {
    agent.maxFreeSockets = 0;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** @param allowed hosts, or hosts and ports, that may be used anyway */
export function createHostGuard(allowed: readonly string[]): HostGuard {
  const names = new Set(allowed.map((name) => name.toLowerCase().replace(/^\[(.*)\]/, '$1')));
  const isAllowed: HostGuard['isAllowed'] = (host, port) => names.has(plain(host)) || names.has(`${plain(host)}:${port}`);
  const refusal = (host: string, port: number | string, secure: boolean): StorageError | null => {
    if (isAllowed(host, port)) return null;
    if (!secure) return refused('The endpoint must begin with https://.');
    return isIP(plain(host)) && !isPublic(plain(host)) ? notPublic() : null;
  };
  return {
    isAllowed,
    check(endpoint) {
      const { hostname, port, protocol } = new URL(endpoint);
      const secure = protocol === 'https:';
      const problem =
        refusal(hostname, port || (secure ? 443 : 80), secure) ??
        (isLocalName(hostname) && !isAllowed(hostname, port) ? notPublic() : null);
      if (problem) throw problem;
    },
    agents({ silence, ...options }) {
      const httpAgent = new http.Agent(options);
      const httpsAgent = new https.Agent(options);
      guard(httpAgent, false, silence);
      guard(httpsAgent, true, silence);
      if (silence !== undefined) for (const agent of [httpAgent, httpsAgent]) keepLimit(agent, silence);
      return { httpAgent, httpsAgent };
    },
  };

  function guard(agent: http.Agent, secure: boolean, silence: number | undefined): void {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (options, callback) => {
      const host = options.host ?? 'localhost';
      const port = options.port ?? 0;
      const problem = refusal(host, port, secure);
      if (problem) return fail(problem, callback);
      const socket = connect(isAllowed(host, port) ? options : { ...options, lookup: publicOnly }, callback);
      if (silence !== undefined && socket instanceof Socket) endWhenSilent(socket, silence);
      return socket;
    };
  }
}

function endWhenSilent(socket: Socket, silence: number): void {
  socket.setTimeout(silence, () =>
    socket.destroy(Object.assign(new Error('the connection was silent for too long'), { code: 'ETIMEDOUT' })),
  );
}

/** A connection that is kept loses its limit while it is idle; with the next request it has it again. */
function keepLimit(agent: http.Agent, silence: number): void {
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request);
    if (socket instanceof Socket) socket.setTimeout(silence);
  };
}

function fail(error: Error, callback?: (error: Error | null, stream: Duplex) => void): undefined {
  // An agent takes an error instead of a connection; its types have no word for it.
  callback?.(error, undefined as unknown as Duplex);
}

/** Resolves a name to addresses of the public internet. The socket connects to what this answers: a name that changes later does not help. */
const publicOnly: LookupFunction = (hostname, options, callback) => {
  resolveName(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    const [first] = addresses;
    if (!first || !addresses.every(({ address }) => isPublic(address))) return callback(notPublic(), []);
    if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/** Azure hands out secrets of its machines at this address, which looks like any other. */
const wireServer = '168.63.129.16';

/** Whether an address belongs to the public internet. Whatever is not known to does not. */
export function isPublic(address: string): boolean {
  if (!isIP(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast' || parsed.toString() === wireServer) return false;
  // Only this block of IPv6 is global; the old forms that wrap an IPv4 address lie outside.
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parseCIDR('2000::/3'));
}

const plain = (host: string) =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
const isLocalName = (host: string) => /(^|\.)(localhost|local|internal|localdomain)$/.test(plain(host));
const refused = (message: string) => new StorageError('MISCONFIGURED', message);
const notPublic = () =>
  refused('The endpoint is not on the public internet. Use one that is, or have the operator add its host to STORAGE_HOSTS.');
