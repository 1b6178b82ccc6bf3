import type { GraphQLResolveInfo } from 'graphql';
import type { Order, Page, PageArgs } from '../paging.js';
import { DEFAULT_PAGE_SIZE } from '../paging.js';
import { builder } from './builder.js';
import { columnsBelow } from './columns.js';

const DirectionEnum = builder.enumType('OrderDirection', {
  description: 'Ascending or descending.',
  values: {
    ASC: { description: 'Oldest or first in the alphabet first.' },
    DESC: { description: 'Newest or last in the alphabet first.' },
  } as const,
});

/** An input `<Type>Order { field direction }` over the orders that a list has. */
export function orderInput<Field extends string>(type: string, fields: Record<string, { value: Field; description: string }>) {
  const field = builder.enumType(`${type}OrderField`, { description: `What ${type} lists can be ordered by.`, values: fields });
  return builder.inputType(`${type}Order`, {
    description: `The order of a ${type} list. Equal values are ordered by id.`,
    fields: (t) => ({
      field: t.field({ type: field, required: true, description: 'By what.' }),
      direction: t.field({ type: DirectionEnum, required: true, description: 'Which way.' }),
    }),
  });
}

export const timeOrders = {
  CREATED_AT: { value: 'createdAt', description: 'When it was created.' },
  UPDATED_AT: { value: 'updatedAt', description: 'When it was last changed.' },
} as const;
export const nameOrder = { NAME: { value: 'name', description: 'Its name.' } } as const;

export const newestFirst: Order = { field: 'createdAt', direction: 'DESC' };
export const byNameFirst: Order = { field: 'name', direction: 'ASC' };

interface ListArgs<Filter> extends PageArgs {
  filter?: Filter;
  orderBy?: Order | null;
}

/** A list's query out of a connection's arguments. With `info` it asks for what is selected of the rows, and no more. */
export const listQuery =
  (usual: Order) =>
  <Filter>({ filter, orderBy, ...page }: ListArgs<Filter>, info?: GraphQLResolveInfo) => ({
    filter,
    order: orderBy ?? usual,
    page,
    ...(info && { columns: columnsBelow(info) }),
  });

/** What a list costs: its fields once for each row that may come. */
export const connectionCost = (args: PageArgs) => ({ field: 1, multiplier: Math.max(1, args.first ?? args.last ?? DEFAULT_PAGE_SIZE) });

interface CountedPage<Row> extends Page<Row> {
  total: () => Promise<number>;
}

/** A page as Relay's connection. A loader that has nothing for its key answers an empty one. */
export function toConnection<Row>(page: CountedPage<Row> | null) {
  const { rows, cursor, hasNextPage, hasPreviousPage, total } = page ?? emptyPage<Row>();
  const edges = rows.map((node) => new Edge(node, cursor));
  return {
    edges,
    total,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      get startCursor() {
        return edges[0]?.cursor ?? null;
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null;
      },
    },
  };
}

/** Its cursor is computed only when it is selected. */
class Edge<Row> {
  constructor(
    readonly node: Row,
    private readonly makeCursor: (row: Row) => string,
  ) {}

  get cursor(): string {
    return this.makeCursor(this.node);
  }
}

const emptyPage = <Row>(): CountedPage<Row> => ({
  rows: [],
  cursor: () => '',
  hasNextPage: false,
  hasPreviousPage: false,
  total: async () => 0,
});
