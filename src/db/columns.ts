import { Prisma } from './generated/client.js';

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * The select list of a hand-written statement that yields the same rows as Prisma: every column, named as its field.
 * Each column is aliased: PostgreSQL's drivers merge columns of one name silently.
 *
 * @param fields Prisma's `<Model>ScalarFieldEnum`
 */
export function columnsOf(fields: Record<string, string>, alias: string): Prisma.Sql {
  return Prisma.raw(
    Object.values(fields)
      .map((field) => `${alias}.${snake(field)} AS "${field}"`)
      .join(', '),
  );
}
