import { Prisma } from '../db/generated/client.js';
import type { Window } from '../paging.js';

/** The part of a list that a request asks for. */
export interface Bound {
  where: Prisma.Sql[];
  window: Window;
}

/** What the parts of a statement are made of: what one request asks for, or marks in its place. */
export interface Binding<Node> {
  tenant(alias: string): Prisma.Sql;
  of(node: Node): Bound;
  /** The ids that the request names. */
  ids: readonly unknown[];
}

/** Stands for a value of a request while the text of a statement is made. */
class Mark {
  constructor(readonly index: number) {}
}
/** Stands for the tenant. */
const TENANT = -1;
const tenant = new Mark(TENANT);

/** A text, and for each of its parameters which of the values it takes. */
interface Shape {
  text: string;
  order: number[];
}

/** How many texts are kept of one statement. */
const MAX_SHAPES = 50;

/**
 * The texts of one statement. Filters, orders and cursors of a request decide what it says, their values never do: a text
 * is made once for all requests of its shape.
 */
export class Shapes<Node> {
  readonly #known = new Map<string, Shape>();

  constructor(
    private readonly nodes: readonly Node[],
    private readonly render: (binding: Binding<Node>) => Prisma.Sql,
  ) {}

  /** @param ids the ids that the request names */
  statement(of: (node: Node) => Bound, ids: readonly unknown[], tenantId: string): { text: string; values: unknown[] } {
    const values = [...ids];
    let key = '';
    for (const node of this.nodes) {
      for (const { strings, values: own } of partsOf(of(node))) {
        key += `${strings.length === 1 ? strings[0] : strings.join('?')},`;
        values.push(...own);
      }
      key += ';';
    }
    const { text, order } = this.#known.get(key) ?? this.#make(key, of, ids);
    return { text, values: order.map((index) => (index === TENANT ? tenantId : values[index])) };
  }

  #make(key: string, of: (node: Node) => Bound, ids: readonly unknown[]): Shape {
    let count = ids.length;
    const marked = (sql: Prisma.Sql) =>
      new Prisma.Sql(
        sql.strings,
        sql.values.map(() => new Mark(count++)),
      );
    const bounds = new Map<Node, Bound>();
    for (const node of this.nodes) {
      const { where, window } = of(node);
      // Evaluated in the order of partsOf, which numbers the values.
      bounds.set(node, { where: where.map(marked), window: { ...window, where: window.where.map(marked) } });
    }
    const { text, values } = this.render({
      tenant: (alias) => Prisma.sql`${Prisma.raw(alias)}.tenant_id = ${tenant}::uuid`,
      of: (node) => bounds.get(node) ?? of(node),
      ids: ids.map((_, index) => new Mark(index)),
    });
    const order = values.map((value) => {
      if (!(value instanceof Mark)) throw new Error('a value that belongs to no request');
      return value.index;
    });
    const shape = { text, order };
    if (this.#known.size < MAX_SHAPES) this.#known.set(key, shape);
    return shape;
  }
}

/** Neither the order nor the limit holds values. */
const partsOf = ({ where, window }: Bound): Prisma.Sql[] => [...where, ...window.where, window.orderBy, window.limit];
