import type { RequestContext } from '../context.js';
import { Prisma } from '../db/generated/client.js';
import { countedBy, selectWindow, windowOf } from '../paging.js';
import type { ById, Many, One, Pages, PagesQuery } from './relation.js';
import { type Binding, type Bound, Shapes } from './shapes.js';
import type { Table } from './table.js';

/** A value as PostgreSQL writes it, or the rows of a list. */
export type Cell = string | null | Cell[][];

/** A list of a plan: what it lists, and which part of it the variables of a request ask for. */
export interface PagesNode {
  relation: Pages;
  query: (variables: Variables) => PagesQuery<never>;
}

export type Variables = Record<string, unknown>;

/** What one request gives a plan. */
export class Bind {
  readonly #pages = new Map<PagesNode, Bound>();

  constructor(
    readonly ctx: RequestContext,
    readonly variables: Variables,
  ) {}

  /** @throws ValidationError for arguments that the list refuses */
  of(node: PagesNode): Bound {
    const known = this.#pages.get(node);
    if (known) return known;
    const { filter, order, page } = node.query(this.variables);
    const { table, where } = node.relation;
    const bound = { where: where(this.ctx, filter), window: windowOf(table, { order, page }) };
    this.#pages.set(node, bound);
    return bound;
  }
}

type Part = (binding: Binding<PagesNode>) => Prisma.Sql;

/** The rows of a table in a statement, under a name of their own. */
export interface Source {
  table: Table;
  name: string;
}

/** What all selects of a statement share. */
class Statement {
  readonly tables = new Set<Table>();
  /** What of it differs from request to request. */
  readonly nodes: PagesNode[] = [];
  readonly ids: ((variables: Variables) => string)[] = [];

  source(table: Table): Source {
    this.tables.add(table);
    this.#sources += 1;
    return { table, name: `t${this.#sources}` };
  }

  #sources = 0;
}

const comma = (parts: Prisma.Sql[]) => Prisma.join(parts, ', ');
const column = ({ name }: Source, field: string) => Prisma.raw(`${name}."${field}"`);

/**
 * A statement in the making: cells, the values that one row of it shows, and the rows joined to it. Lists are cells with
 * rows of their own. Everything is text until it is read, so that nothing is built that is written out again at once.
 */
export class Select {
  readonly #cells: Part[] = [];
  readonly #joins: Part[] = [];
  readonly #known = new Map<string, number>();
  readonly #lists = new Set<number>();
  #shapes: Shapes<PagesNode> | undefined;

  private constructor(readonly statement: Statement) {}

  static create(): Select {
    return new Select(new Statement());
  }

  /** Every table whose rows the statement reads. */
  get tables(): ReadonlySet<Table> {
    return this.statement.tables;
  }

  /** Whether it has more cells than PostgreSQL can write beside lists: its functions take a hundred arguments. */
  get tooWide(): boolean {
    return this.#lists.size > 0 && this.#cells.length > 100;
  }

  /** A column as text; `json`: an array, as JSON. All of these answer the number of the cell. */
  column(source: Source, field: string, json = false): number {
    const key = `${source.name}.${field}.${json}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const text = json ? Prisma.sql`to_json(${column(source, field)})::text` : Prisma.sql`${column(source, field)}::text`;
    const cell = this.#add(() => text);
    this.#known.set(key, cell);
    return cell;
  }

  /** The column that a list is ordered by, which a request may choose. */
  orderColumn(source: Source, node: PagesNode): number {
    return this.#add((binding) => Prisma.sql`${column(source, binding.of(node).window.order.field)}::text`);
  }

  /** Joins the row that a key names; its columns are null when there is none. */
  one(from: Source, { target, key }: One): Source {
    const to = this.statement.source(target.table);
    const id = Prisma.sql`${Prisma.raw(target.table.alias)}.id = ${column(from, key)}`;
    this.#joins.push(
      (binding) => Prisma.sql`LEFT JOIN LATERAL (${rows(binding, target.table, [id, ...target.shown])}) AS ${Prisma.raw(to.name)} ON true`,
    );
    return to;
  }

  /** The one row with the id that the request names, as a list. */
  byId({ table, shown }: ById, id: (variables: Variables) => string) {
    const alias = Prisma.raw(table.alias);
    const index = this.statement.ids.push(id) - 1;
    return this.#list(table, (binding) => rows(binding, table, [Prisma.sql`${alias}.id = ${binding.ids[index]}`, ...shown]), null);
  }

  many(from: Source, { table, column: foreign, shown }: Many) {
    const of = Prisma.sql`${foreign} = ${column(from, 'id')}`;
    return this.#list(
      table,
      (binding) => rows(binding, table, [of, ...shown]),
      (source) => () => column(source, 'id'),
    );
  }

  /** @param from null: of the whole table */
  pages(from: Source | null, node: PagesNode) {
    const { table } = node.relation;
    this.statement.nodes.push(node);
    return this.#list(
      table,
      (binding) => {
        const { window, where } = binding.of(node);
        return selectWindow(table, [binding.tenant(table.alias), ...ofParent(from, node.relation), ...where], window);
      },
      (source) => (binding) => {
        const { field, direction } = binding.of(node).window.order;
        const way = Prisma.raw(direction);
        return Prisma.sql`${column(source, field)} ${way}, ${column(source, 'id')} ${way}`;
      },
    );
  }

  /** How many rows the whole list has. */
  count(from: Source | null, node: PagesNode): number {
    const { table } = node.relation;
    this.statement.tables.add(table);
    if (!this.statement.nodes.includes(node)) this.statement.nodes.push(node);
    return this.#add((binding) => {
      const conditions = [...ofParent(from, node.relation), ...binding.of(node).where];
      const counted = countedBy(table, conditions);
      const where = Prisma.join([binding.tenant(table.alias), ...conditions], ' AND ');
      return Prisma.sql`(SELECT ${counted.count}::text FROM ${counted.from} WHERE ${where})`;
    });
  }

  /** Reads the row of a statement that is made of lists and counts alone. */
  async read(bind: Bind): Promise<Cell[]> {
    const { nodes, ids } = this.statement;
    this.#shapes ??= new Shapes(
      nodes,
      (binding) => Prisma.sql`SELECT ${comma(this.#cells.map((cell) => Prisma.sql`(${cell(binding)})::text`))}`,
    );
    const named = ids.map((id) => id(bind.variables));
    const { db } = bind.ctx;
    const [row = []] = await db.texts(this.#shapes.statement((node) => bind.of(node), named, db.tenantId));
    return row.map((text, cell) => (text !== null && this.#lists.has(cell) ? JSON.parse(text) : text));
  }

  #list(table: Table, from: Part, orderOf: ((source: Source) => Part) | null) {
    const source = this.statement.source(table);
    const order = orderOf?.(source);
    const select = new Select(this.statement);
    // A row has to have a cell, whatever is selected of it.
    select.column(source, 'id');
    const cell = this.#add((binding) =>
      select.#rows(binding, Prisma.sql`(${from(binding)}) AS ${Prisma.raw(source.name)}`, order?.(binding)),
    );
    this.#lists.add(cell);
    return { cell, select, source };
  }

  /** An array of texts costs less than JSON, but holds no lists. */
  #rows(binding: Binding<PagesNode>, from: Prisma.Sql, order: Prisma.Sql | undefined): Prisma.Sql {
    const cells = comma(this.#cells.map((cell) => cell(binding)));
    const row = this.#lists.size === 0 ? Prisma.sql`ARRAY[${cells}]` : Prisma.sql`json_build_array(${cells})`;
    const joins =
      this.#joins.length === 0
        ? Prisma.empty
        : Prisma.join(
            this.#joins.map((join) => join(binding)),
            ' ',
          );
    const sorted = order ? Prisma.sql`ORDER BY ${order}` : Prisma.empty;
    return Prisma.sql`to_json(ARRAY(SELECT ${row} FROM ${from} ${joins} ${sorted}))`;
  }

  #add(cell: Part): number {
    return this.#cells.push(cell) - 1;
  }
}

const ofParent = (from: Source | null, relation: Pages): Prisma.Sql[] =>
  from && relation.column ? [Prisma.sql`${relation.column} = ${column(from, 'id')}`] : [];

function rows(binding: Binding<PagesNode>, table: Table, where: Prisma.Sql[]): Prisma.Sql {
  return Prisma.sql`SELECT ${table.columns} FROM ${table.from} WHERE ${Prisma.join([binding.tenant(table.alias), ...where], ' AND ')}`;
}
