import { html, type SafeHtml } from '@remix-run/html-template';
import type { FastifyReply } from 'fastify';
import { icon, script, stylesheet } from './page.assets.rest.js';

/** A page for outsiders, before it has a head. */
export interface Page {
  status: number;
  title: string;
  body: SafeHtml;
}

/**
 * What holds for every page: nothing of it is kept, found by a search engine, framed or told to another site, and
 * nothing but its own stylesheet and the files beside it may load or run, whatever a document's name tries.
 */
const headers = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src ${stylesheet.source}`,
    "script-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-robots-tag': 'noindex, nofollow, noarchive',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** @param base what stands before our paths when PUBLIC_URL has a path of its own */
export const sendPage = (reply: FastifyReply, base: string, page: Page) =>
  reply
    .status(page.status)
    .headers(headers)
    .send(`<!doctype html>${shell(base, page)}`);

const shell = (base: string, { title, body }: Page) => html`
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${html.raw`${stylesheet.css}`}</style>
<link rel="icon" href="${base}${icon.path}" type="image/svg+xml">
<script src="${base}${script.path}" defer></script>
</head>
<body>
${body}
</body>
</html>
`;

/** A line drawing that says nothing by itself. */
export const drawn = (path: string, box = 24, size = 20) =>
  html`<svg viewBox="0 0 ${box} ${box}" width="${size}" height="${size}" fill="none" stroke="currentColor" stroke-width="${box / 13}" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${path}"/></svg>`;

const gate = drawn('M9 24V12a7 7 0 0 1 14 0v12M16 10v14M6.5 24h19', 32, 22);

/** The line at the top of every page. */
export const bar = html`<header class="bar"><span class="brand">${gate}Docgate</span><span>Shared document</span></header>`;
