import { Prisma } from './generated/client.js';

/** The column behind a field of a row: `createdAt` is `created_at`. */
export const columnOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * The select list of a hand-written statement that yields the same rows as Prisma: every column, named as its field.
 * Each column is aliased: PostgreSQL's drivers merge columns of one name silently.
 *
 * @param fields Prisma's `<Model>ScalarFieldEnum`, or some of its values
 * @param prefix stands before the names of a second table's fields
 */
export function columnsOf(fields: Record<string, string> | readonly string[], alias: string, prefix = ''): Prisma.Sql {
  return Prisma.raw(
    Object.values(fields)
      .map((field) => `${alias}.${columnOf(field)} AS "${prefix}${field}"`)
      .join(', '),
  );
}
