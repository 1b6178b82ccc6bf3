import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { deleteDocument } from '../src/document/document.service.js';
import { inactivate, reject } from '../src/document/document.workflow.js';
import { revokeShare } from '../src/share/share.service.js';
import { browserAccept, text, usePages } from './share.page.world.js';

const { world, get, open, scene } = usePages();

describe('a share with a password', () => {
  const files = [text('a.txt')];
  const locked = () => scene({ name: 'Secret plans', files, share: { password: 'päss wörd' } });
  const post = (url: string, password: string, headers = {}) =>
    world().inject(null, {
      method: 'POST',
      url,
      payload: new URLSearchParams({ password }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: browserAccept, ...headers },
    });

  test('asks for it and tells nothing', async () => {
    const { path, token } = await locked();
    for (const url of [path, `/documents/preview/${token}/`, `/documents/preview/?token=${token}`]) {
      const { body, statusCode } = await open(url);
      expect(statusCode).toBe(401);
      expect(body).toContain(`<form method="post" action="${path}">`);
      expect(body).not.toMatch(/Secret plans|a\.txt|role="alert"/);
    }
  });

  test('says that a password is wrong', async () => {
    const { path } = await locked();
    for (const password of ['nope', '']) {
      const { body, statusCode, headers } = await post(path, password);
      expect(statusCode).toBe(401);
      expect(body).toContain('That is not the password of this link.');
      expect(body).not.toContain('Secret plans');
      expect(headers['set-cookie']).toBeUndefined();
    }
  });

  test('keeps its form after too many attempts, and says how long to wait', async () => {
    const { path } = await locked();
    for (let attempt = 0; attempt < 10; attempt++) expect((await post(path, 'nope')).statusCode).toBe(401);
    const { body, statusCode, headers } = await post(path, 'päss wörd');
    expect(statusCode).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThan(60);
    expect(body).toContain('Too many attempts. You can try again in 15 minutes.');
    expect(body).toContain(`<form method="post" action="${path}">`);
  });

  test('opens with the right one, for this browser and this share alone; no address holds the grant', async () => {
    const [one, other] = [await locked(), await locked()];
    const answer = await post(one.path, 'päss wörd');
    expect(answer).toMatchObject({ statusCode: 303, headers: { location: one.path } });
    const [, cookie = '', rest] = /^([^;]+); (.*)$/.exec(String(answer.headers['set-cookie'])) ?? [];
    expect(rest).toBe(`Path=${one.path}; HttpOnly; SameSite=Strict`);
    const { body, statusCode } = await open(one.path, { cookie });
    expect(statusCode).toBe(200);
    expect(body).not.toContain('grant');
    const [, file = ''] = /href="([^"]+)" download/.exec(body) ?? [];
    expect((await open(file, { cookie })).body).toBe('Some text.\n');
    expect((await open(file)).statusCode).toBe(401);
    expect((await open(other.path, { cookie })).statusCode).toBe(401);
  });

  test('takes no password from a form of another site', async () => {
    const { path } = await locked();
    expect((await post(path, 'päss wörd', { 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect((await post(path, 'päss wörd', { 'sec-fetch-site': 'same-origin' })).statusCode).toBe(303);
  });

  test('refuses what is no form, or too large for one', async () => {
    const { path } = await locked();
    expect((await post(path, 'x'.repeat(5000))).statusCode).toBe(413);
    expect((await post(path, '', { 'content-type': 'text/plain' })).statusCode).toBe(415);
    expect((await world().inject(null, { method: 'POST', url: path })).statusCode).toBe(401);
  });
});

const endNow = (id: string) =>
  world().gateway.database.pool.query("UPDATE shares SET expires_at = now() - interval '1 second' WHERE id = $1", [id]);

describe('a dead link says why, and nothing else', () => {
  test.each<[string, string, (made: Awaited<ReturnType<typeof scene>>) => Promise<unknown>]>([
    ['withdrawn', 'This link was withdrawn', ({ context, share }) => revokeShare(context(), share.id)],
    ['rejected', 'This document is not available', ({ context, document }) => reject(context(), document.id, { reason: 'no' })],
    ['inactive', 'This document is not available', ({ context, document }) => inactivate(context(), document.id, {})],
    ['deleted', 'This document is not available', ({ context, document }) => deleteDocument(context(), document.id, {})],
    ['expired', 'This link has expired', ({ share }) => endNow(share.id)],
  ])('%s', async (_, title, kill) => {
    const made = await scene({
      name: 'Secret plans',
      description: 'Very secret',
      files: [text('secret.txt')],
    });
    await kill(made);
    for (const url of [made.path, `/documents/preview/${made.token}/`]) {
      const { body, statusCode } = await open(url);
      expect(statusCode).toBe(410);
      expect(body).toContain(`<h1>${title}</h1>`);
      expect(body).not.toMatch(/secret/i);
      expect(body).not.toContain(made.token);
    }
  });

  test('used up, also where its last file was', async () => {
    const { path } = await scene({ name: 'Secret plans', files: [text('secret.txt')], share: { maxDownloads: 1 } });
    const [, file = ''] = /href="([^"]+)" download/.exec((await open(path)).body) ?? [];
    expect((await open(file)).statusCode).toBe(200);
    for (const url of [path, file]) {
      const { body, statusCode } = await open(url);
      expect(statusCode).toBe(410);
      expect(body).toContain('<h1>This link is used up</h1>');
      expect(body).not.toMatch(/secret/i);
    }
    expect((await get(file)).json()).toMatchObject({ code: 'gone' });
  });

  test('one that does not open yet says when it will', async () => {
    const notBefore = new Date(Date.now() + 3_600_000);
    const { path } = await scene({ name: 'Secret plans', files: [text('secret.txt')], share: { notBefore } });
    const { body, statusCode } = await open(path);
    expect(statusCode).toBe(403);
    expect(body).toContain('<h1>This link does not open yet</h1>');
    expect(body).toContain(`It opens on <time datetime="${notBefore.toISOString()}">`);
    expect(body).not.toMatch(/secret/i);
  });

  test.each(['/s/nothing', `/s/${randomUUID()}`, '/s/%00', '/s/..%2f', `/documents/preview/${randomUUID()}/`])('%s is 404', async (url) => {
    const { body, statusCode } = await open(url);
    expect(statusCode).toBe(404);
    expect(body).toContain('<h1>There is nothing here</h1>');
  });
});
