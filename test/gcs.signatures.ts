import { createHash, createVerify, type KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import jwt from 'jsonwebtoken';

/** Whether a request bears a token that the account signed itself, for this service. */
export function bearsToken({ headers }: IncomingMessage, email: string, publicKey: KeyObject): boolean {
  try {
    const token = (headers.authorization ?? '').replace(/^Bearer /, '');
    const claims = jwt.verify(token, publicKey, { algorithms: ['RS256'], issuer: email, subject: email });
    return typeof claims !== 'string' && /devstorage|cloud-platform/.test(claims.scope);
  } catch {
    return false;
  }
}

/** Whether an address was signed by the account (V4), for this very method, path, query and headers, and has not expired. */
export function isSigned(request: IncomingMessage, url: URL, email: string, publicKey: KeyObject): boolean {
  const query = new Map(url.searchParams);
  const signature = Buffer.from(query.get('X-Goog-Signature') ?? '', 'hex');
  query.delete('X-Goog-Signature');
  const date = query.get('X-Goog-Date') ?? '';
  const scope = (query.get('X-Goog-Credential') ?? '').replace(`${email}/`, '');
  const digest = createHash('sha256')
    .update(canonicalOf(request, url, query))
    .digest('hex');
  const from = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  const alive = Date.now() < from + Number(query.get('X-Goog-Expires')) * 1000;
  return alive && createVerify('RSA-SHA256').update(['GOOG4-RSA-SHA256', date, scope, digest].join('\n')).verify(publicKey, signature);
}

function canonicalOf({ method, headers }: IncomingMessage, url: URL, query: Map<string, string>): string {
  const names = (query.get('X-Goog-SignedHeaders') ?? '').split(';');
  // The SDK signs the host without its port, which Google does not have.
  const lines = names.map((name) => `${name}:${name === 'host' ? url.hostname : headers[name]}\n`).join('');
  const sorted = [...query].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  return [method, url.pathname, sorted.join('&'), lines, names.join(';'), 'UNSIGNED-PAYLOAD'].join('\n');
}

const encode = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
