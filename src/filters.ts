import { isStorableDate } from './db/date.js';
import { Prisma } from './db/generated/client.js';
import { isId } from './db/id.js';
import { invalid } from './errors.js';

/** A range of times, both ends included, either may be missing. */
export interface DateRange {
  from?: Date | null;
  to?: Date | null;
}

const escapeLike = (search: string) => search.replace(/[\\%_]/g, (character) => `\\${character}`);

/** Rows one of whose columns contains the text, whatever its case. Empty text matches all. */
export function contains(search: string | null | undefined, ...columns: string[]): Prisma.Sql[] {
  if (!search) return [];
  if (search.includes('\0') || !search.isWellFormed()) throw invalid('search', 'must be well-formed Unicode without NUL characters');
  const pattern = `%${escapeLike(search)}%`;
  return [
    Prisma.sql`(${Prisma.join(
      columns.map((column) => Prisma.sql`${Prisma.raw(column)} ILIKE ${pattern}`),
      ' OR ',
    )})`,
  ];
}

export function within(range: DateRange | null | undefined, column: string, argument: string): Prisma.Sql[] {
  return [
    ...(range?.from ? [Prisma.sql`${Prisma.raw(column)} >= ${storable(range.from, `${argument}.from`)}`] : []),
    ...(range?.to ? [Prisma.sql`${Prisma.raw(column)} <= ${storable(range.to, `${argument}.to`)}`] : []),
  ];
}

function storable(date: Date, argument: string): Date {
  if (!isStorableDate(date)) throw invalid(argument, 'must lie in the years 1 to 9999');
  return date;
}

/** `column = value`, or nothing when there is no value. */
export const equals = (column: string, value: string | boolean | null | undefined, cast = ''): Prisma.Sql[] =>
  value == null ? [] : [Prisma.sql`${Prisma.raw(column)} = ${value}${Prisma.raw(cast)}`];

/** Of a single id PostgreSQL keeps its plan; for a list, whose length it does not know, it makes a new one each time. */
export const isAnyOf = (column: Prisma.Sql, ids: readonly string[]): Prisma.Sql =>
  ids.length === 1 ? Prisma.sql`${column} = ${ids[0]}` : Prisma.sql`${column} = ANY(${[...ids]}::text[])`;

/** `column = id`. What cannot be an id is the caller's mistake; one that does not exist just finds nothing. */
export function equalsId(column: string, id: string | null | undefined, argument: string): Prisma.Sql[] {
  if (id != null && !isId(id)) throw invalid(argument, 'is not an id');
  return equals(column, id);
}
