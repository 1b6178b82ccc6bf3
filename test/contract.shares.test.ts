import { describe, expect, test } from 'vitest';
import { missing, useDocuments } from './contract.documents.world.js';
import { inDays, restCaller } from './rest.caller.js';

const { world, newDocument, upload, call } = useDocuments();

/** What the contract says of shares, operation by operation: each title quotes it. */
describe('shares', () => {
  async function shared(fields: object = {}) {
    const { id } = await newDocument({ description: 'Of the applicant' });
    const list = `/documents/${id}/shares/`;
    const { body } = await call('POST', list, { expires_at: inDays(1), ...fields });
    return { id, list, share: body, url: `${list}${body.id}/`, preview: `/documents/preview/${body.token}/` };
  }

  test('Share Document "also accepted: password, max_downloads, allow_download, label"; extras "appear only with ?expand=policy"', async () => {
    const extras = { max_downloads: 3, allow_download: false, label: 'For the auditor' };
    const { share, url } = await shared({ ...extras, password: 'correct horse' });
    expect(Object.keys(share)).toHaveLength(9);
    expect(await call('GET', `${url}?expand=policy`)).toMatchObject({ status: 200, body: { ...extras, has_password: true } });
  });

  test('expires_at "must lie in the future, at most 365 days"', async () => {
    const { list } = await shared();
    for (const days of [-1, 366]) {
      const expires_at = new Date(Date.now() + days * 86_400_000).toISOString();
      expect(await call('POST', list, { expires_at })).toMatchObject({ status: 400, body: { expires_at: [expect.any(String)] } });
    }
  });

  test('"Sharing needs a pending or approved document (else 409); shares of a rejected one answer 410 until it is approved again"', async () => {
    const { id, list, preview } = await shared();
    await call('PUT', `/documents/${id}/reject/`, { reason: 'no' });
    expect([(await call('POST', list, { expires_at: inDays(1) })).status, (await call('GET', preview)).status]).toEqual([409, 410]);
    await call('PUT', `/documents/${id}/approve/`);
    expect([(await call('POST', list, { expires_at: inDays(1) })).status, (await call('GET', preview)).status]).toEqual([201, 200]);
  });

  test('Get Shared Document "→ 200"; List Shared Documents: "expired ones too"', async () => {
    const { url, list, share } = await shared();
    expect(await call('GET', url)).toMatchObject({ status: 200, body: share });
    await world().gateway.database.pool.query(`UPDATE shares SET expires_at = now() - interval '1 day' WHERE id = $1`, [share.id]);
    expect((await call('GET', list)).body).toMatchObject({ count: 1, results: [{ id: share.id }] });
    expect((await call('GET', `${list}${missing}/`)).status).toBe(404);
  });

  test('List Shared Documents: "expires_at, expires_at_gte, expires_at_lte" hold together, a day is all of it; "search" is in labels', async () => {
    const { list, share } = await shared({ label: 'For the auditor' });
    const count = async (query: string) => (await call('GET', `${list}?${query}`)).body.count;
    const moment = share.expires_at;
    const day = moment.slice(0, 10);
    const queries = [
      `expires_at=${moment}`,
      `expires_at=${day}`,
      `expires_at_gte=${day}&expires_at_lte=${day}`,
      'search=AUDIT',
      'search=nobody',
    ];
    expect(await Promise.all(queries.map(count))).toEqual([1, 1, 1, 1, 0]);
    expect(await count(`expires_at=${moment}&expires_at_gte=2999-01-01`)).toBe(0);
    expect(await count('expires_at=2999-01-01&expires_at_gte=2020-01-01')).toBe(0);
    expect((await call('GET', `${list}?search=%00`)).body).toEqual({ search: [expect.any(String)] });
  });

  test('Update Shared Document: "expires_at (and the extras) → 200; the token stays"', async () => {
    const { url, share } = await shared();
    const expires_at = '2100-01-01T05:38:35+00:00';
    expect(await call('PATCH', url, { expires_at })).toMatchObject({ status: 400, body: { expires_at: [expect.any(String)] } });
    const later = new Date(Date.now() + 2 * 86_400_000).toISOString();
    expect(await call('PATCH', `${url}?expand=policy`, { expires_at: later, label: 'l', max_downloads: 2 })).toMatchObject({
      status: 200,
      body: { token: share.token, expires_at: later.replace('Z', '000Z'), label: 'l', max_downloads: 2 },
    });
  });

  test('Delete Document Share: "→ 204; the token is dead at once"', async () => {
    const { url, preview } = await shared();
    expect(await call('DELETE', url)).toMatchObject({ status: 204, body: '' });
    expect(await call('GET', preview)).toMatchObject({ status: 410, body: { detail: expect.any(String), code: 'gone' } });
  });

  test('Preview: "no bearer. JSON: {document: {…}, files: […], expires_at, allow_download}", "also GET /documents/preview/?token="', async () => {
    const { id, share, preview } = await shared();
    await upload(id, 'a.txt');
    const outsider = restCaller(world(), null);
    const { status, body } = await outsider('GET', preview);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['document', 'files', 'expires_at', 'allow_download']);
    expect(Object.keys(body.document)).toEqual(['name', 'description', 'status', 'created_at']);
    expect(Object.keys(body.files[0])).toEqual(['id', 'name', 'content_type', 'size', 'preview_url', 'download_url']);
    expect(body.document).toMatchObject({ name: 'Passport', description: 'Of the applicant', status: 'pending' });
    expect(body).toMatchObject({ expires_at: share.expires_at, allow_download: true });
    expect((await outsider('GET', `/documents/preview/?token=${share.token}`)).body.document).toEqual(body.document);
    expect((await outsider('GET', preview, undefined, { accept: 'text/html' })).headers['content-type']).toMatch(/^text\/html/);
  });

  test('Preview: "Unknown token 404", "password needed 401 with code: "password_required""', async () => {
    const outsider = restCaller(world(), null);
    expect(await outsider('GET', '/documents/preview/1b4e28ba-2fa1-4d2b-883f-0016d3cca427/')).toMatchObject({
      status: 404,
      body: { detail: 'Not found.' },
    });
    const { preview } = await shared({ password: 'correct horse' });
    expect(await outsider('GET', preview)).toMatchObject({ status: 401, body: { code: 'password_required' } });
    expect((await outsider('GET', preview, undefined, { 'x-share-password': 'correct horse' })).status).toBe(200);
  });
});
