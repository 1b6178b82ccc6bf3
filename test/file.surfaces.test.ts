import { describe, expect, test } from 'vitest';
import { testRights } from './surface.rights.js';
import { done, type FileValue, type Surface, surfacesOf, type Upload } from './surfaces.js';
import { type Actor, useWorld } from './world.js';

const world = useWorld({ MAX_FILE_SIZE: '64KiB' });
const surfaces = surfacesOf(world);
const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const limit = 64 * 1024;
const pdf = '%PDF-1.4\nthe bytes of a passport\n%%EOF';

interface Filed {
  document: { id: string };
  file: FileValue;
}

/** A document with a file. */
async function make(surface: Surface, who: Actor): Promise<Filed> {
  const document = await done(surface.createDocument(who, { name: 'Passport' }));
  const [file] = await done(surface.uploadFiles(who, document.id, [{ name: 'a.pdf', body: pdf }]));
  if (!file) throw new Error('nothing was stored');
  return { document, file };
}

type Before = (surface: Surface, who: Actor, id: string) => Promise<unknown>;
const before = {
  pending: async () => {},
  approved: (surface, who, id) => done(surface.approve(who, id)),
  rejected: (surface, who, id) => done(surface.reject(who, id, { reason: 'blurred' })),
  inactive: (surface, who, id) => done(surface.inactivate(who, id)),
  deleted: (surface, who, id) => done(surface.deleteDocument(who, id)),
} satisfies Record<string, Before>;

describe.each(surfaces)('files, over $name', (surface) => {
  test.each<[string, Upload[], object[]]>([
    ['one', [{ name: 'a.pdf', body: pdf }], [{ name: 'a.pdf', size: pdf.length, contentType: 'application/pdf' }]],
    [
      'several, in their order',
      [
        { name: 'b.txt', body: 'b', type: 'text/plain' },
        { name: 'a.txt', body: 'aa', type: 'text/plain' },
      ],
      [
        { name: 'b.txt', size: 1, contentType: 'text/plain' },
        { name: 'a.txt', size: 2 },
      ],
    ],
    [
      '"1–20"',
      Array.from({ length: 20 }, (_, index) => ({ name: `${index}`, body: 'x' })),
      Array.from({ length: 20 }, () => ({ size: 1 })),
    ],
    ['an empty one', [{ name: 'a', body: '' }], [{ size: 0 }]],
    ['as large as may be', [{ name: 'a', body: 'x'.repeat(limit) }], [{ size: limit }]],
    ['by any name', [{ name: 'größe 😀.pdf', body: pdf }], [{ name: 'größe 😀.pdf' }]],
    [
      'what lies about its type',
      [{ name: 'a.pdf', body: '<script>', type: 'application/pdf' }],
      [{ contentType: expect.not.stringMatching(/pdf/) }],
    ],
  ])('stored: %s', async (_, files, stored) => {
    const admin = world().actor('admin');
    const { id } = await done(surface.createDocument(admin, { name: 'Passport' }));
    const uploaded = await done(surface.uploadFiles(admin, id, files));
    expect(uploaded).toMatchObject(stored);
    expect((await done(surface.getDocument(admin, id))).files).toEqual(uploaded);
    const bodies = await Promise.all(uploaded.map((file) => done(surface.downloadFile(admin, id, file.id))));
    expect(bodies).toEqual(files.map(({ body }) => body));
  });

  test.each<[string, Upload[], object]>([
    ['none', [], { code: 'VALIDATION_FAILED', fields: ['files'] }],
    ['21', Array.from({ length: 21 }, (_, index) => ({ name: `${index}`, body: 'x' })), { code: 'PAYLOAD_TOO_LARGE' }],
    ['one that is too large', [{ name: 'a', body: 'x'.repeat(limit + 1) }], { code: 'PAYLOAD_TOO_LARGE' }],
    [
      'one that is too large among others',
      [
        { name: 'a', body: 'x' },
        { name: 'b', body: 'x'.repeat(limit * 3) },
        { name: 'c', body: 'x' },
      ],
      { code: 'PAYLOAD_TOO_LARGE' },
    ],
  ])('refused, all or none: %s', async (_, files, outcome) => {
    const admin = world().actor('admin');
    const { document, file } = await make(surface, admin);
    expect(await surface.uploadFiles(admin, document.id, files)).toEqual(outcome);
    expect((await done(surface.getDocument(admin, document.id))).files).toEqual([file]);
  });

  test.each<[keyof typeof before, object]>([
    ['pending', { value: 'PENDING' }],
    ['approved', { value: 'PENDING' }],
    ['rejected', { value: 'PENDING' }],
    ['inactive', { code: 'CONFLICT' }],
    ['deleted', { code: 'NOT_FOUND' }],
  ])('"new or removed file on an approved or rejected document → pending": %s', async (state, outcome) => {
    const admin = world().actor('admin');
    const acts: ((of: Filed) => Promise<object>)[] = [
      ({ document }) => surface.uploadFiles(admin, document.id, [{ name: 'b', body: 'b' }]),
      ({ document, file }) => surface.deleteFile(admin, document.id, file.id),
    ];
    for (const act of acts) {
      const filed = await make(surface, admin);
      await before[state](surface, admin, filed.document.id);
      const ended = await act(filed);
      const after = 'value' in ended ? { value: (await done(surface.getDocument(admin, filed.document.id))).status } : ended;
      expect(after).toEqual(outcome);
    }
  });

  test('removed: gone at once, and only once', async () => {
    const admin = world().actor('admin');
    const { document, file } = await make(surface, admin);
    expect(await surface.downloadFile(admin, document.id, file.id)).toEqual({ value: pdf });
    expect(await surface.deleteFile(admin, document.id, file.id)).toEqual({ value: null });
    expect((await done(surface.getDocument(admin, document.id))).files).toEqual([]);
    expect(await surface.downloadFile(admin, document.id, file.id)).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.deleteFile(admin, document.id, file.id)).toEqual({ code: 'NOT_FOUND' });
  });

  test.each([missing, 'nonsense'])('that are not there: %s', async (id) => {
    const admin = world().actor('admin');
    const { document } = await make(surface, admin);
    expect(await surface.uploadFiles(admin, id, [{ name: 'a', body: 'a' }])).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.downloadFile(admin, document.id, id)).toEqual({ code: 'NOT_FOUND' });
    expect(await surface.deleteFile(admin, document.id, id)).toEqual({ code: 'NOT_FOUND' });
  });
});

test('both doors show the same files', async () => {
  const [graphql, rest] = surfaces as [Surface, Surface];
  const admin = world().actor('admin');
  const { document, file } = await make(rest, admin);
  const [other] = await done(graphql.uploadFiles(admin, document.id, [{ name: 'ü.txt', body: 'ü' }]));
  for (const surface of surfaces) {
    expect((await done(surface.getDocument(admin, document.id))).files).toEqual([file, other]);
    expect(await surface.downloadFile(admin, document.id, other?.id ?? '')).toEqual({ value: 'ü' });
  }
});

testRights<Filed>(
  world,
  [
    {
      act: 'uploadFiles',
      takes: ['documents:read', 'documents:write'],
      run: (surface, who, { document }) => surface.uploadFiles(who, document.id, [{ name: 'b', body: 'b' }]),
    },
    {
      act: 'downloadFile',
      takes: ['documents:read'],
      run: (surface, who, { document, file }) => surface.downloadFile(who, document.id, file.id),
    },
    {
      act: 'deleteFile',
      takes: ['documents:read', 'documents:write'],
      run: (surface, who, { document, file }) => surface.deleteFile(who, document.id, file.id),
    },
  ],
  make,
);
