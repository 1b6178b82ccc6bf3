import { type GraphQLObjectType, getNamedType, isObjectType } from 'graphql';
import type { Bind, Cell, PagesNode, Select, Source } from '../../relation/select.js';
import type { Compiler, Nodes } from './compile.js';
import { NotPlannable } from './not-plannable.js';
import { isoTime } from './values.js';
import { elements, rowsOf, type Write } from './write.js';

/** A page as it was found. */
interface Found {
  rows: Cell[][];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  cursor: (row: Cell[]) => string;
}

type WritePage = (page: Found, bind: Bind, cells: Cell[]) => string;

/** A page of a list by Relay's specification. */
export function compileConnection(
  compiler: Compiler,
  type: GraphQLObjectType,
  nodes: Nodes,
  select: Select,
  source: Source | null,
  node: PagesNode,
): Write {
  const page = select.pages(source, node);
  const id = page.select.column(page.source, 'id');
  const order = page.select.orderColumn(page.source, node);
  const row = (below: Nodes, of: GraphQLObjectType) => compiler.row(of, below, page.select, page.source);

  const part = (name: string, below: Nodes): WritePage => {
    if (name === '__typename') return () => JSON.stringify(type.name);
    if (name === 'totalCount') {
      const cell = select.count(source, node);
      return (_page, _bind, cells) => String(cells[cell]);
    }
    const of = objectType(type, name);
    if (name === 'nodes') {
      const write = row(below, of);
      return ({ rows }, bind) => elements(rows, (cells) => write(cells, bind));
    }
    if (name === 'edges') {
      const write = fields(compiler.selection(of, below), (field, nodesBelow) => edge(of, field, nodesBelow));
      return (found, bind) => elements(found.rows, (cells) => write(found, bind, cells));
    }
    if (name === 'pageInfo') return fields(compiler.selection(of, below), (field) => pageInfo(of, field));
    throw new NotPlannable(name);
  };

  const edge = (of: GraphQLObjectType, name: string, below: Nodes): WritePage => {
    if (name === '__typename') return () => JSON.stringify(of.name);
    if (name === 'cursor') return ({ cursor }, _bind, cells) => JSON.stringify(cursor(cells));
    if (name !== 'node') throw new NotPlannable(name);
    const write = row(below, objectType(of, name));
    return (_page, bind, cells) => write(cells, bind);
  };

  const write = fields(compiler.selection(type, nodes), part);
  return (cells, bind) => {
    const { window } = bind.of(node);
    const cursor = (found: Cell[]) => window.cursor(orderValue(found[order], window.key.type), String(found[id]));
    return write({ ...window.take(rowsOf(cells[page.cell])), cursor }, bind, cells);
  };
}

function fields(selection: [string, Nodes][], compile: (name: string, nodes: Nodes) => WritePage): WritePage {
  const parts = selection.map(([name, nodes], index) => {
    const head = `${index === 0 ? '' : ','}${JSON.stringify(name)}:`;
    return { head, write: compile(nodes[0]?.name.value ?? '', nodes) };
  });
  return (page, bind, cells) => `{${parts.map(({ head, write }) => head + write(page, bind, cells)).join('')}}`;
}

function pageInfo(of: GraphQLObjectType, name: string): WritePage {
  const cursor = (found: Found, row: Cell[] | undefined) => (row ? JSON.stringify(found.cursor(row)) : 'null');
  switch (name) {
    case '__typename':
      return () => JSON.stringify(of.name);
    case 'hasNextPage':
      return (found) => String(found.hasNextPage);
    case 'hasPreviousPage':
      return (found) => String(found.hasPreviousPage);
    case 'startCursor':
      return (found) => cursor(found, found.rows[0]);
    case 'endCursor':
      return (found) => cursor(found, found.rows.at(-1));
    default:
      throw new NotPlannable(name);
  }
}

/** What a row is ordered by, as the ordinary path's rows have it. */
function orderValue(cell: Cell | undefined, type: 'timestamptz' | 'text' | 'int'): string | number {
  const text = String(cell);
  if (type === 'int') return Number(text);
  return type === 'timestamptz' ? isoTime(text) : text;
}

function objectType(parent: GraphQLObjectType, field: string): GraphQLObjectType {
  const type = getNamedType(parent.getFields()[field]?.type);
  if (!isObjectType(type)) throw new NotPlannable(field);
  return type;
}
