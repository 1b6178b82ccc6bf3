import type { InjectOptions } from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { deleteDocument } from '../src/document/document.service.js';
import { openSharedFile, openSharedPreview, openSharedZip, previewShare, transferFile, transferZip } from '../src/share/open.service.js';
import { revokeShare } from '../src/share/share.service.js';
import { purgeDocuments, sweepTransfers } from '../src/share/share.sweeper.js';
import { shareScene } from './share.scene.js';
import { useWorld, type World } from './world.js';

const world = useWorld();
const discreet = useWorld({ PRIVACY_IP: 'truncate' });
const BYTES = 'the bytes';

async function scene(share: object = {}, place: World = world()) {
  const made = await shareScene(place, { files: [{ name: 'a.txt', bytes: BYTES, type: 'text/plain' }], share });
  const { data } = await place.graphql(made.owner, `{ document(id: "${made.document.id}") { files { id } } }`);
  const fileId: string = data.document.files[0].id;
  const get = (url: string, from = '203.0.113.7', options: InjectOptions = {}) =>
    place.inject(null, { url, remoteAddress: from, ...options, headers: { 'user-agent': 'Firefox', ...options.headers } });
  return {
    ...made,
    place,
    fileId,
    open: (from?: string, options?: InjectOptions) => get(`/documents/preview/${made.token}/`, from, options),
    download: (grant = '') => get(`${made.path}/files/${fileId}?grant=${grant}`),
    zip: () => get(`${made.path}/files.zip`),
  };
}
type Scene = Awaited<ReturnType<typeof scene>>;

interface Access {
  id: string;
  kind: string;
  outcome: string;
  reason: string | null;
  times: number;
  fileId: string | null;
  address: string;
  userAgent: string;
  bytes: number;
  charged: boolean;
}
interface Ledger {
  openCount: number;
  lastOpenedAt: string | null;
  downloadCount: number;
  accesses: { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string }; nodes: Access[] };
}

/** What the owner sees. @param args of `accesses` */
async function ledgerOf({ place, owner, share }: Scene, args = 'first: 50'): Promise<Ledger> {
  const { data } = await place.graphql(
    owner,
    `{ share(id: "${share.id}") { openCount lastOpenedAt downloadCount accesses(${args}) { totalCount pageInfo { hasNextPage endCursor }
      nodes { id kind outcome reason times fileId address userAgent bytes charged } } } }`,
  );
  return data.share;
}
/** Each access in short, oldest first. */
const linesOf = ({ accesses }: Pick<Ledger, 'accesses'>) =>
  accesses.nodes.map(({ kind, outcome, reason, times }) => [kind, reason ?? outcome, times].join(' ')).reverse();

async function visitsInHistory({ place, owner, document, share }: Scene): Promise<object[]> {
  const { data } = await place.graphql(
    owner,
    `{ document(id: "${document.id}") { history(first: 50) { nodes { action actorId entityType entityId } } } }`,
  );
  return data.document.history.nodes.filter(
    ({ action, entityId }: { action: string; entityId: string }) => action === 'share.opened' && entityId === share.id,
  );
}

const change = (set: string, { share }: Scene) =>
  world().gateway.database.pool.query(`UPDATE share_accesses SET ${set} WHERE share_id = $1`, [share.id]);

describe('the accesses of a share', () => {
  test('tell what was done, to which file, how it ended, from where and with what', async () => {
    const made = await scene();
    await made.open();
    expect((await made.download()).body).toBe(BYTES);
    await vi.waitFor(async () => expect((await ledgerOf(made)).accesses.nodes[0]).toMatchObject({ outcome: 'SUCCEEDED' }));
    const seen = { outcome: 'SUCCEEDED', reason: null, times: 1, address: '203.0.113.7', userAgent: 'Firefox' };
    expect(await ledgerOf(made)).toMatchObject({
      openCount: 1,
      lastOpenedAt: expect.any(String),
      downloadCount: 1,
      accesses: {
        totalCount: 2,
        nodes: [
          { ...seen, kind: 'DOWNLOAD', fileId: made.fileId, bytes: BYTES.length, charged: true },
          { ...seen, kind: 'OPEN', fileId: null, bytes: 0, charged: false },
        ],
      },
    });
  });

  test('tell what was refused, and why', async () => {
    const made = await scene({ password: 'open sesame', allowDownload: false });
    const withPassword = (password: string) => made.open(undefined, { headers: { 'x-share-password': password } });
    for (const attempt of [made.open(), withPassword('wrong'), withPassword('open sesame'), made.download(), made.zip()]) await attempt;
    const { grant } = await previewShare(world().context(null), made.token, { password: 'open sesame' });
    expect((await made.download(grant ?? '')).statusCode).toBe(403);
    await made.place.gateway.database.pool.query('UPDATE shares SET revoked_at = now() WHERE id = $1', [made.share.id]);
    expect((await made.open()).statusCode).toBe(410);
    expect(linesOf(await ledgerOf(made))).toEqual(
      expect.arrayContaining([
        'OPEN PASSWORD_REQUIRED 1',
        'PASSWORD PASSWORD_WRONG 1',
        'PASSWORD SUCCEEDED 1',
        'OPEN SUCCEEDED 1',
        'DOWNLOAD PASSWORD_REQUIRED 1',
        'ZIP PASSWORD_REQUIRED 1',
        'DOWNLOAD FORBIDDEN 1',
        'OPEN REVOKED 1',
      ]),
    );
  });

  test('count the same by the same visitor within an hour as one, and as one visit, which the history tells of', async () => {
    const made = await scene();
    for (let n = 0; n < 3; n += 1) await made.open();
    expect(linesOf(await ledgerOf(made))).toEqual(['OPEN SUCCEEDED 3']);
    await made.open('203.0.113.8');
    expect(await ledgerOf(made)).toMatchObject({ openCount: 2, accesses: { totalCount: 2 } });
    await change("created_at = created_at - interval '61 minutes'", made);
    await made.open();
    expect(await ledgerOf(made)).toMatchObject({ openCount: 3, accesses: { totalCount: 3 } });
    expect(await visitsInHistory(made)).toEqual(
      Array(3).fill({ action: 'share.opened', actorId: null, entityType: 'Share', entityId: made.share.id }),
    );
  });

  test('show link previews, which are no visits', async () => {
    const made = await scene();
    await made.open(undefined, { headers: { 'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' } });
    expect(await ledgerOf(made)).toMatchObject({ openCount: 0, lastOpenedAt: null, accesses: { totalCount: 1 } });
    expect(await visitsInHistory(made)).toEqual([]);
  });

  test('come in pages, newest first, and by kind', async () => {
    const made = await scene();
    for (const last of [1, 2, 3, 4, 5]) await made.open(`203.0.113.${last}`);
    const all = await ledgerOf(made);
    expect(all.accesses.nodes.map(({ address }) => address)).toEqual([5, 4, 3, 2, 1].map((last) => `203.0.113.${last}`));
    const pages: Access[] = [];
    for (let after = ''; ; ) {
      const { accesses } = await ledgerOf(made, `first: 2${after && `, after: "${after}"`}`);
      expect(accesses.totalCount).toBe(5);
      pages.push(...accesses.nodes);
      if (!accesses.pageInfo.hasNextPage) break;
      after = accesses.pageInfo.endCursor;
    }
    expect(pages).toEqual(all.accesses.nodes);
    expect((await ledgerOf(made, 'filter: { kind: DOWNLOAD }')).accesses.totalCount).toBe(0);
    expect((await ledgerOf(made, 'filter: { kind: OPEN }')).accesses.totalCount).toBe(5);
  });

  test('stay when it is revoked, over both doors', async () => {
    const made = await scene();
    await made.open();
    await revokeShare(made.context(), made.share.id);
    await made.open();
    const { accesses } = await ledgerOf(made);
    expect(linesOf({ accesses })).toEqual(['OPEN SUCCEEDED 1', 'OPEN REVOKED 1']);
    const { statusCode, body } = await world().inject(made.owner, {
      url: `/documents/${made.document.id}/shares/${made.share.id}/accesses/`,
    });
    expect(statusCode).toBe(200);
    expect(JSON.parse(body).results.map(({ id }: { id: string }) => id)).toEqual(accesses.nodes.map(({ id }) => id));
  });

  test('are the same over REST, in its pages', async () => {
    const made = await scene();
    for (const last of [1, 2, 3]) await made.open(`203.0.113.${last}`);
    const path = `/documents/${made.document.id}/shares/${made.share.id}/accesses/`;
    const list = async (query = '', url = path, actor = made.owner) => (await world().inject(actor, { url: `${url}${query}` })).json();
    const { accesses } = await ledgerOf(made);
    const wire = ({ kind, outcome, fileId, userAgent, ...rest }: Access) => ({
      ...rest,
      kind: kind.toLowerCase(),
      outcome: outcome.toLowerCase(),
      file: fileId,
      user_agent: userAgent,
    });
    expect(await list()).toMatchObject({ count: 3, results: accesses.nodes.map(wire) });
    expect(await list('?page=2&page_size=2')).toMatchObject({ count: 3, total_pages: 2, results: [{ address: '203.0.113.1' }] });
    expect(await list('?ordering=created_at&page_size=1')).toMatchObject({ results: [{ address: '203.0.113.1' }] });
    expect([(await list('?kind=open')).count, (await list('?kind=zip')).count]).toEqual([3, 0]);
    expect((await list('?created_at_before=2020-01-01')).count).toBe(0);
    expect(await list('?kind=nothing')).toEqual({ kind: [expect.any(String)] });
    const other = await scene();
    expect(await list('', path.replace(made.document.id, other.document.id), made.owner)).toEqual({ detail: 'Not found.' });
    expect(await list('', path, other.owner), 'of another tenant').toEqual({ detail: 'Not found.' });
    expect((await world().inject(null, { url: path })).statusCode).toBe(401);
    expect((await world().inject(world().actor(['documents:read'], made.owner.tenantId), { url: path })).statusCode).toBe(403);
  });

  test('go when the document is purged; that it was opened stays in its history', async () => {
    const made = await scene({ password: 'open sesame' });
    await made.open(undefined, { headers: { 'x-share-password': 'wrong' } });
    await made.open(undefined, { headers: { 'x-share-password': 'open sesame' } });
    await deleteDocument(made.context(), made.document.id, {});
    const { prisma } = world().gateway.services;
    const where = { tenantId: made.owner.tenantId };
    const left = async () => [
      await prisma.share.count({ where }),
      await prisma.shareAccess.count({ where }),
      await prisma.shareAttempt.count({ where }),
    ];
    await purgeDocuments(world().context(null));
    expect(await left()).toEqual([1, 3, 2]);
    await prisma.document.updateMany({ where, data: { deletedAt: new Date(0) } });
    await prisma.file.deleteMany({ where });
    await purgeDocuments(world().context(null));
    expect(await left()).toEqual([0, 0, 0]);
    expect(await prisma.auditEvent.count({ where: { ...where, action: 'share.opened' } })).toBe(1);
  });
});

describe('the addresses of visitors', () => {
  test.each([
    ['203.0.113.77', '203.0.113.77', '203.0.113.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['::ffff:203.0.113.77', '203.0.113.77', '203.0.113.0'],
  ])('%s is kept as %s, and with PRIVACY_IP=truncate as %s', async (from, full, truncated) => {
    for (const [place, address] of [[world(), full] as const, [discreet(), truncated] as const]) {
      const made = await scene({}, place);
      await made.open(from);
      expect((await ledgerOf(made)).accesses.nodes).toMatchObject([{ address }]);
    }
  });

  test('tell two visitors of one network apart, also where they are not kept', async () => {
    const made = await scene({}, discreet());
    for (const from of ['203.0.113.1', '203.0.113.2', '203.0.113.1']) await made.open(from);
    const { openCount, accesses } = await ledgerOf(made);
    expect([openCount, accesses.nodes.map(({ address }) => address)]).toEqual([2, ['203.0.113.0', '203.0.113.0']]);
  });
});

describe('a download', () => {
  const outsider = () => world().context(null);
  const give = async ({ token, fileId }: Scene) => transferFile(await openSharedFile(outsider(), token, fileId), BYTES.length);
  const die = (made: Scene) => change("lease_until = clock_timestamp() - interval '1 millisecond'", made);

  test.each([
    ['a file', give],
    ['a zip', async ({ token }: Scene) => transferZip(await openSharedZip(outsider(), token))],
  ])('of %s whose process died is given back, once', async (_, start) => {
    const made = await scene({ maxDownloads: 1 });
    const transfer = await start(made);
    await sweepTransfers(outsider());
    expect(await ledgerOf(made), 'it still lives').toMatchObject({ downloadCount: 1, accesses: { nodes: [{ outcome: 'RUNNING' }] } });
    await die(made);
    for (let n = 0; n < 2; n += 1) await sweepTransfers(outsider());
    expect(await ledgerOf(made)).toMatchObject({ downloadCount: 0, accesses: { nodes: [{ outcome: 'FAILED', charged: false }] } });
    await transfer.ended(0, false);
    expect((await ledgerOf(made)).downloadCount).toBe(0);
    expect((await made.open()).statusCode).toBe(200);
  });

  test('that only seemed dead counts when it reaches its end', async () => {
    const made = await scene({ maxDownloads: 1 });
    const transfer = await give(made);
    await die(made);
    await sweepTransfers(outsider());
    await transfer.ended(BYTES.length, true);
    expect(await ledgerOf(made)).toMatchObject({ downloadCount: 1, accesses: { nodes: [{ outcome: 'SUCCEEDED', charged: true }] } });
  });

  test('that the store fails to give is given back', async () => {
    const made = await scene({ maxDownloads: 1 });
    const { pool } = world().gateway.database;
    const { rows } = await pool.query<{ object_key: string }>('SELECT object_key FROM files WHERE id = $1', [made.fileId]);
    const keep = (key: string | undefined) => pool.query('UPDATE files SET object_key = $2 WHERE id = $1', [made.fileId, key]);
    await keep('lost');
    expect((await made.download()).statusCode).toBeGreaterThanOrEqual(400);
    expect(await ledgerOf(made)).toMatchObject({
      downloadCount: 0,
      accesses: { nodes: [{ kind: 'DOWNLOAD', outcome: 'FAILED', charged: false, bytes: 0 }] },
    });
    await keep(rows[0]?.object_key);
    expect((await made.download()).body).toBe(BYTES);
  });

  test('that fails again and again stays charged once it brought more than three files', async () => {
    const made = await scene({ maxDownloads: 1 });
    for (let n = 0; n < 3; n += 1) await (await give(made)).ended(BYTES.length, false);
    expect((await ledgerOf(made)).downloadCount).toBe(0);
    await (await give(made)).ended(BYTES.length, false);
    expect((await ledgerOf(made)).downloadCount).toBe(1);
    await expect(give(made)).rejects.toMatchObject({ code: 'GONE', reason: 'USED_UP' });
  });

  test('of a preview is none', async () => {
    const made = await scene({ maxDownloads: 1 });
    await openSharedPreview(outsider(), made.token, made.fileId);
    expect(await ledgerOf(made)).toMatchObject({ downloadCount: 0, accesses: { nodes: [{ kind: 'PREVIEW', fileId: made.fileId }] } });
  });
});
