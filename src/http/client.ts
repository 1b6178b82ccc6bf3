import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import type { Client } from '../context.js';

/** How much of a user agent is kept: the longest true ones are shorter. */
const MAX_USER_AGENT = 300;

/** From where and with what a request came. Behind proxies that are trusted, the address is the one that they vouch for. */
export const clientOf = ({ ip, headers }: FastifyRequest): Client => ({
  address: ipaddr.isValid(ip) ? ipaddr.process(ip).toString() : ip,
  userAgent: (headers['user-agent'] ?? '').slice(0, MAX_USER_AGENT),
});
