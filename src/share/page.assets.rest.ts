import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyPluginAsync } from 'fastify';
import { notFound } from '../errors.js';

interface Asset {
  /** Changes with its content, so that browsers may keep it for good. */
  path: string;
  type: string;
  body: Buffer;
}

/** Beside this file; `npm run build` puts them beside the bundle. */
const read = (name: string) => readFileSync(new URL(`./assets/${name}`, import.meta.url));

function asset(name: string, type: string): Asset {
  const body = read(name);
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return { path: `/assets/${name.replace('.', `-${hash}.`)}`, type, body };
}

const css = read('page.css').toString();
/** Stands in the page itself, so that nothing has to be fetched before it is painted; its hash allows it and no other. */
export const stylesheet = { css, source: `'sha256-${createHash('sha256').update(css).digest('base64')}'` };
export const script = asset('page.js', 'text/javascript; charset=utf-8');
export const icon = asset('icon.svg', 'image/svg+xml');

const byPath = new Map([script, icon].map((found) => [found.path, found]));

/** `GET /assets/{name}`: what the pages for outsiders fetch. */
export const assetRoutes: FastifyPluginAsync = async (app) => {
  app.get<{ Params: { name: string } }>('/assets/:name', async ({ params }, reply) => {
    const found = byPath.get(`/assets/${params.name}`);
    if (!found) throw notFound('Asset');
    reply.headers({ 'cache-control': 'public, max-age=31536000, immutable', 'x-content-type-options': 'nosniff' });
    return reply.type(found.type).send(found.body);
  });
};
