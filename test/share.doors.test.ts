import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { png } from '../src/demo/files.js';
import { deleteDocument } from '../src/document/document.service.js';
import { inactivate, reject } from '../src/document/document.workflow.js';
import { type ErrorCode, statusByCode } from '../src/errors.js';
import { deleteFile } from '../src/file/file.service.js';
import { revokeShare, updateShare } from '../src/share/share.service.js';
import { shareScene } from './share.scene.js';
import { useWorld } from './world.js';

const world = useWorld();
const files = ['a.png', 'b.png'].map((name, index) => ({ name, bytes: png(20, 20 + index), type: 'image/png' }));

async function scene() {
  const made = await shareScene(world(), { name: 'Secret plans', files });
  const { rows } = await world().gateway.database.pool.query<{ id: string }>('SELECT id FROM files WHERE document_id = $1 ORDER BY id', [
    made.document.id,
  ]);
  const [first = '', second = ''] = rows.map(({ id }) => id);
  const { data } = await world().graphql(made.owner, `{ node(id: "${first}") { ... on File { previewUrl } } }`);
  const link = new URL(data.node.previewUrl);
  return { ...made, first, second, link: link.pathname + link.search };
}
type Scene = Awaited<ReturnType<typeof scene>>;
type Way = Pick<Scene, 'token' | 'first' | 'link'>;

const statusOf = async (url: string, accept = '*/*') => (await world().inject(null, { url, headers: { accept } })).statusCode;
const doors: Record<string, (way: Way) => Promise<number>> = {
  sharePreview: async ({ token }) => {
    const { data } = await world().graphql(null, `{ sharePreview(token: "${token}") { ... on Error { code } } }`);
    const { code } = data.sharePreview as { code?: ErrorCode };
    return code ? statusByCode[code] : 200;
  },
  'the preview path': ({ token }) => statusOf(`/documents/preview/${token}/`),
  'the page': ({ token }) => statusOf(`/s/${token}`, 'text/html'),
  'the page of its first file': ({ token, first }) => statusOf(`/s/${token}?file=${first}`, 'text/html'),
  'the preview of its first file': ({ token, first }) => statusOf(`/s/${token}/files/${first}/preview?width=160`),
  'its first file': ({ token, first }) => statusOf(`/s/${token}/files/${first}`),
  'the zip': ({ token }) => statusOf(`/s/${token}/files.zip`),
  // For the tenant's own frontends: no business of the share, but of the file.
  'File.previewUrl': ({ link }) => statusOf(link),
};
const door = (name: string, way: Way) => doors[name]?.(way);

const share =
  (change: string) =>
  ({ share: { id } }: Scene) =>
    world().gateway.database.pool.query(`UPDATE shares SET ${change} WHERE id = $1`, [id]);
const quarantine = (id: string) => world().gateway.database.pool.query(`UPDATE files SET state = 'QUARANTINED' WHERE id = $1`, [id]);
const select =
  (name: 'first' | 'second') =>
  ({ context, share: { id }, ...ids }: Scene) =>
    updateShare(context(), id, { fileIds: [ids[name]] });

/** Codes in the order of the doors above. */
const states: [string, number[], (made: Scene) => Promise<unknown>][] = [
  ['as it was made', [200, 200, 200, 200, 200, 200, 200, 200], async () => {}],
  ['revoked', [410, 410, 410, 410, 410, 410, 410, 200], ({ context, share: { id } }) => revokeShare(context(), id)],
  ['expired', [410, 410, 410, 410, 410, 410, 410, 200], share("expires_at = clock_timestamp() - interval '1 millisecond'")],
  ['used up', [410, 410, 410, 410, 410, 410, 410, 200], share('max_downloads = 1, download_count = 1')],
  ['not open yet', [403, 403, 403, 403, 403, 403, 403, 200], share("not_before = clock_timestamp() + interval '1 hour'")],
  [
    'of a document that is rejected',
    [410, 410, 410, 410, 410, 410, 410, 200],
    ({ context, document: { id } }) => reject(context(), id, { reason: 'no' }),
  ],
  [
    'of a document that is inactive',
    [410, 410, 410, 410, 410, 410, 410, 200],
    ({ context, document: { id } }) => inactivate(context(), id, {}),
  ],
  [
    'of a document that is deleted',
    [410, 410, 410, 410, 410, 410, 410, 404],
    ({ context, document: { id } }) => deleteDocument(context(), id, {}),
  ],
  ['whose first file is deleted', [200, 200, 200, 200, 410, 410, 200, 404], ({ context, first }) => deleteFile(context(), first)],
  ['whose first file is in quarantine', [200, 200, 200, 200, 410, 410, 200, 404], ({ first }) => quarantine(first)],
  [
    'whose only file is deleted',
    [410, 410, 410, 410, 410, 410, 410, 404],
    (made) => select('first')(made).then(() => deleteFile(made.context(), made.first)),
  ],
  [
    'whose only file is in quarantine',
    [410, 410, 410, 410, 410, 410, 410, 404],
    (made) => select('first')(made).then(() => quarantine(made.first)),
  ],
  ['whose selection is another file', [200, 200, 200, 200, 404, 404, 200, 200], select('second')],
  ['for reading only', [200, 200, 200, 200, 200, 403, 403, 200], share('allow_download = false')],
  [
    'with a password',
    [401, 401, 401, 401, 401, 401, 401, 200],
    ({ context, share: { id } }) => updateShare(context(), id, { password: 'open sesame' }),
  ],
];

describe.each(states)('a share %s', (_, codes, change) => {
  test.each(Object.keys(doors).map((name, index) => [name, codes[index]] as const))('through %s is %i', async (name, code) => {
    const made = await scene();
    expect(await door(name, made), 'before').toBe(200);
    await change(made);
    expect(await door(name, made), 'the very next request').toBe(code);
  });
});

test.each(Object.keys(doors))('an unknown token through %s is 404', async (name) => {
  const { first } = await scene();
  for (const token of [randomUUID(), 'nothing']) {
    expect(await door(name, { token, first, link: `/files/${first}/preview?token=${token}` })).toBe(404);
  }
});

describe('time is told by the database, whatever the clock of the process says', () => {
  const DAY = 24 * 60 * 60 * 1000;
  test.each([
    ['a day ahead', DAY, 'ACTIVE', 200, async () => {}],
    ['a day behind', -DAY, 'EXPIRED', 410, share("expires_at = clock_timestamp() - interval '1 millisecond'")],
    ['a day ahead', DAY, 'NOT_YET', 403, share("not_before = clock_timestamp() + interval '1 hour'")],
  ] as const)('%s, %i ms: a share is %s to its owner and %i to others', async (_, skew, status, code, change) => {
    const made = await scene();
    await change(made);
    const clock = vi.spyOn(world().gateway.services, 'now').mockImplementation(() => new Date(Date.now() + skew));
    onTestFinished(() => clock.mockRestore());
    const { data } = await world().graphql(made.owner, `{ share(id: "${made.share.id}") { status } }`);
    expect(data.share).toEqual({ status });
    expect(await door('sharePreview', made)).toBe(code);
    expect(await door('the page', made)).toBe(code);
  });
});
