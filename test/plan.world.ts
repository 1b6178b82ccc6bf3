import { createCategory } from '../src/category/category.service.js';
import type { RequestContext } from '../src/context.js';
import { Prisma } from '../src/db/generated/client.js';
import { createDocument, deleteDocument } from '../src/document/document.service.js';
import { approve, inactivate, reject } from '../src/document/document.workflow.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { incoming } from './objects.js';

const DAY = 24 * 60 * 60 * 1000;
const names = [
  'plain',
  'with "quotes"',
  'back\\slash',
  'ünïcode 😀',
  'a\tb',
  '{"json": [1]}',
  'עברית',
  "it's",
  '%_',
  'kyc',
  '\u2028line',
  'x',
];
/** What rows may hold, whether or not it is taken today: more digits than a number of JavaScript has, a name that it would lose. */
const metadata = [
  '{}',
  '{"a": null, "b": [1, 2.5, 1e300, -0], "c": {"d": "é\\"\\\\\\n"}}',
  '{"10": 1, "2": 2, "__proto__": {"x": 1}}',
  '{"n": 12345678901234567}',
];

/** A tenant with a bit of everything that could be written in more than one way. @returns the ids, those in the trash too */
export async function createPlanData(context: () => RequestContext): Promise<string[]> {
  const ids: string[] = [];
  const remember = <Row extends { id: string }>(row: Row) => {
    ids.push(row.id);
    return row;
  };
  const categories: (string | null)[] = [null];
  for (const [index, name] of names.entries()) {
    const parentId = index < 4 ? null : (categories[index % categories.length] ?? null);
    categories.push(remember(await createCategory(context(), { name, parentId, description: index % 2 ? name : '' })).id);
  }
  for (const [index, name] of [...names, ...names].entries()) {
    const input = {
      name,
      description: index % 3 ? name : '',
      categoryId: categories[index % 5],
      tags: index % 2 ? ['kyc', `${name}!`] : [],
    };
    const { id } = remember(await createDocument(context(), input));
    const { db } = context();
    await db.execute(
      Prisma.sql`UPDATE documents d SET metadata = ${metadata[index % metadata.length]}::jsonb WHERE ${db.owns('d')} AND d.id = ${id}`,
    );
    if (index % 4 === 1)
      await uploadFiles(context(), id, incoming(...names.slice(0, 1 + (index % 3)).map((file) => ({ name: file || 'f', bytes: file }))));
    if (index % 3 === 0)
      remember(
        await shareDocument(context(), id, {
          expiresAt: new Date(Date.now() + (index + 1) * DAY),
          label: name,
          maxDownloads: index % 2 || null,
        }),
      );
    if (index % 5 === 0) await approve(context(), id, {});
    if (index % 5 === 1) await reject(context(), id, { reason: name });
    if (index % 10 === 2) await inactivate(context(), id, {});
    if (index % 8 === 7) await deleteDocument(context(), id, {});
  }
  return ids;
}
