import type { Policy } from '../auth/policy.js';
import { columnsOf } from '../db/columns.js';
import { Prisma } from '../db/generated/client.js';
import type { ListSource } from '../paging.js';

/** A table as viewers read it: its columns, its orders, and the right that it takes. */
export interface Table<Row extends { id: string } = never> extends ListSource<Row> {
  /** The fields of a row that are columns. */
  fields: ReadonlySet<string>;
  policy: Policy;
}

/** Fields of a row: those that somebody will look at. */
export type Columns = readonly string[];

interface TableInit<Row extends { id: string }> extends Pick<Table<Row>, 'alias' | 'orders' | 'policy' | 'counters'> {
  name: string;
  /** Prisma's `<Model>ScalarFieldEnum`. */
  fields: Record<string, string>;
}

export const tableOf = <Row extends { id: string }>({ name, alias, fields, orders, policy, counters }: TableInit<Row>): Table<Row> => ({
  from: Prisma.raw(`${name} AS ${alias}`),
  alias,
  columns: columnsOf(fields, alias),
  fields: new Set(Object.values(fields)),
  orders,
  policy,
  counters,
});

/**
 * The select list for rows of which only some fields are looked at, and those that Docgate itself needs. Decoding a column
 * costs more than to leave it out.
 *
 * @param wanted undefined: all columns
 */
export function selectList({ fields, alias, columns }: Table, wanted: Columns | undefined, needed: Columns): Prisma.Sql {
  if (!wanted?.every((field) => fields.has(field))) return columns;
  return columnsOf([...new Set([...needed, ...wanted])], alias);
}
