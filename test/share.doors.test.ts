import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { deleteDocument } from '../src/document/document.service.js';
import { inactivate, reject } from '../src/document/document.workflow.js';
import { type ErrorCode, statusByCode } from '../src/errors.js';
import { deleteFile } from '../src/file/file.service.js';
import { revokeShare, updateShare } from '../src/share/share.service.js';
import { shareScene } from './share.scene.js';
import { useWorld } from './world.js';

const world = useWorld();
const files = ['a.txt', 'b.txt'].map((name) => ({ name, bytes: `The bytes of ${name}.`, type: 'text/plain' }));

async function scene() {
  const made = await shareScene(world(), { name: 'Secret plans', files });
  const { rows } = await world().gateway.database.pool.query<{ id: string }>('SELECT id FROM files WHERE document_id = $1 ORDER BY id', [
    made.document.id,
  ]);
  const [first = '', second = ''] = rows.map(({ id }) => id);
  return { ...made, first, second };
}
type Scene = Awaited<ReturnType<typeof scene>>;
type Way = Pick<Scene, 'token' | 'first'>;

const statusOf = async (url: string, accept = '*/*') => (await world().inject(null, { url, headers: { accept } })).statusCode;
const doors: Record<string, (way: Way) => Promise<number>> = {
  sharePreview: async ({ token }) => {
    const { data } = await world().graphql(null, `{ sharePreview(token: "${token}") { ... on Error { code } } }`);
    const { code } = data.sharePreview as { code?: ErrorCode };
    return code ? statusByCode[code] : 200;
  },
  'the preview path': ({ token }) => statusOf(`/documents/preview/${token}/`),
  'the page': ({ token }) => statusOf(`/s/${token}`, 'text/html'),
  'its first file': ({ token, first }) => statusOf(`/s/${token}/files/${first}`),
  'the zip': ({ token }) => statusOf(`/s/${token}/files.zip`),
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
  ['as it was made', [200, 200, 200, 200, 200], async () => {}],
  ['revoked', [410, 410, 410, 410, 410], ({ context, share: { id } }) => revokeShare(context(), id)],
  ['expired', [410, 410, 410, 410, 410], share("expires_at = clock_timestamp() - interval '1 millisecond'")],
  ['used up', [410, 410, 410, 410, 410], share('max_downloads = 1, download_count = 1')],
  ['not open yet', [403, 403, 403, 403, 403], share("not_before = clock_timestamp() + interval '1 hour'")],
  ['of a document that is rejected', [410, 410, 410, 410, 410], ({ context, document: { id } }) => reject(context(), id, { reason: 'no' })],
  ['of a document that is inactive', [410, 410, 410, 410, 410], ({ context, document: { id } }) => inactivate(context(), id, {})],
  ['of a document that is deleted', [410, 410, 410, 410, 410], ({ context, document: { id } }) => deleteDocument(context(), id, {})],
  ['whose first file is deleted', [200, 200, 200, 410, 200], ({ context, first }) => deleteFile(context(), first)],
  ['whose first file is in quarantine', [200, 200, 200, 410, 200], ({ first }) => quarantine(first)],
  [
    'whose only file is deleted',
    [410, 410, 410, 410, 410],
    (made) => select('first')(made).then(() => deleteFile(made.context(), made.first)),
  ],
  ['whose only file is in quarantine', [410, 410, 410, 410, 410], (made) => select('first')(made).then(() => quarantine(made.first))],
  ['whose selection is another file', [200, 200, 200, 404, 200], select('second')],
  ['for reading only', [200, 200, 200, 403, 403], share('allow_download = false')],
  ['with a password', [401, 401, 401, 401, 401], ({ context, share: { id } }) => updateShare(context(), id, { password: 'open sesame' })],
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
  for (const token of [randomUUID(), 'nothing']) expect(await door(name, { token, first })).toBe(404);
});
