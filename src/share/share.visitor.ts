import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import ipaddr from 'ipaddr.js';
import type { RequestContext } from '../context.js';

/** An address without its last part where it is to be kept so: IPv4 /24, IPv6 /48. */
export function keptAddress({ client: { address }, services }: RequestContext): string {
  return services.truncateAddresses ? networkOf(address, 24, 48) : address;
}

/** Tells visitors apart without their addresses. All of an IPv6 /64 is one visitor: whoever has one address there has them all. */
export function visitorOf({ client: { address }, services }: RequestContext): Uint8Array<ArrayBuffer> {
  const [key = Buffer.alloc(0)] = services.linkKeys;
  return new Uint8Array(
    createHmac('sha256', key)
      .update(`visitor ${networkOf(address, 32, 64)}`)
      .digest()
      .subarray(0, 16),
  );
}

function networkOf(address: string, bits4: number, bits6: number): string {
  if (!ipaddr.isValid(address)) return '';
  const parsed = ipaddr.process(address);
  const bytes = parsed.toByteArray();
  const kept = (parsed.kind() === 'ipv4' ? bits4 : bits6) / 8;
  return ipaddr.fromByteArray(bytes.map((byte, index) => (index < kept ? byte : 0))).toString();
}

interface Crawler {
  pattern: string;
  tags: string[];
}

const crawlers = createRequire(import.meta.url)('crawler-user-agents') as Crawler[]; // JSON: as its own declarations say.
const previewers = new RegExp(
  crawlers
    .filter(({ tags }) => tags.includes('social-preview') || tags.includes('search-engine'))
    .map(({ pattern }) => pattern)
    .join('|'),
);

/** Whether a chat or a search engine looks at a link by itself, and not a person or a program of theirs. */
export const isPreviewBot = ({ client: { userAgent } }: RequestContext): boolean => previewers.test(userAgent);
