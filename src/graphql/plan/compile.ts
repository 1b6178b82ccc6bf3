import { type FieldNode, type GraphQLField, type GraphQLObjectType, getNamedType, isNonNullType, isObjectType } from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { getArgumentValues } from 'graphql/execution/values.js';
import { isId } from '../../db/id.js';
import { Select, type Source, type Variables } from '../../relation/select.js';
import type { Operation } from '../operations.js';
import { schema } from '../schema.js';
import { compileConnection } from './connection.js';
import { type Declaration, declarationOf } from './declare.js';
import { NotPlannable } from './not-plannable.js';
import { columnWriter } from './values.js';
import { list, nullable, object, type Write, type WriteOrNull } from './write.js';

/** A query as one statement, and how its row is written as JSON. */
export interface Plan {
  select: Select;
  write: Write;
}

/** @throws NotPlannable when a part of the query can be answered by its resolver only */
export function compile({ node, fragments }: Operation, variables: Variables): Plan {
  const query = schema.getQueryType();
  if (node.operation !== 'query' || !query) throw new NotPlannable(node.operation);
  const compiler = new Compiler(fragments, variables);
  const select = Select.create();
  const fields = [...collectFields(schema, fragments, variables, query, node.selectionSet)];
  const write = object(fields.map(([name, nodes]) => [name, compiler.field(query, nodes, select, null)]));
  if (select.tables.size === 0) throw new NotPlannable('nothing to read');
  return { select, write };
}

/** A count takes the conditions of a list and nothing else. */
const anyPage = { order: { field: 'createdAt', direction: 'ASC' }, page: {} } as const;

/** What is selected under one name. */
export type Nodes = readonly FieldNode[];

/** Compiles what is selected below a field. A `source` is where the parent's columns are; null for the root. */
export class Compiler {
  constructor(
    readonly fragments: Operation['fragments'],
    readonly variables: Variables,
  ) {}

  selection(type: GraphQLObjectType, nodes: Nodes): [string, Nodes][] {
    return [...collectSubfields(schema, this.fragments, this.variables, type, nodes)];
  }

  row(type: GraphQLObjectType, nodes: Nodes, select: Select, source: Source): Write {
    return object(this.selection(type, nodes).map(([name, below]) => [name, this.field(type, below, select, source)]));
  }

  field(parent: GraphQLObjectType, nodes: Nodes, select: Select, source: Source | null): Write {
    const [node] = nodes;
    const name = node?.name.value ?? '';
    if (name === '__typename') return () => JSON.stringify(parent.name);
    const field = parent.getFields()[name];
    if (!node || !field || field.extensions.pothosResolveWrapped) throw new NotPlannable(name);
    const declaration = declarationOf(field);
    const write = declaration ? this.declared(field, declaration, nodes, select, source) : this.column(field, select, source);
    if (select.tooWide) throw new NotPlannable('too many columns');
    return nullable(write, !isNonNullType(field.type));
  }

  private column(field: GraphQLField<unknown, unknown>, select: Select, source: Source | null): WriteOrNull {
    const column = field.extensions.pothosExposedField;
    if (!source || typeof column !== 'string' || !source.table.fields.has(column)) throw new NotPlannable(field.name);
    const { json, write } = columnWriter(field.type);
    const cell = select.column(source, column, json);
    return (cells) => {
      const text = cells[cell];
      return typeof text === 'string' ? write(text) : null;
    };
  }

  private declared(
    field: GraphQLField<unknown, unknown>,
    declaration: Declaration,
    nodes: Nodes,
    select: Select,
    source: Source | null,
  ): WriteOrNull {
    const type = getNamedType(field.type);
    const args = (variables: Variables) => argumentsOf(field, nodes, variables);
    if (declaration.kind === 'count') {
      const cell = select.count(source, { relation: declaration.relation, query: () => anyPage });
      return (cells) => String(cells[cell]);
    }
    if (!isObjectType(type)) throw new NotPlannable(field.name);
    if (declaration.kind === 'pages') {
      const node = { relation: declaration.relation, query: (variables: Variables) => declaration.query(args(variables)) };
      return compileConnection(this, type, nodes, select, source, node);
    }
    if (declaration.kind === 'found') {
      const { cell, select: below, source: found } = select.byId(declaration.target, (variables) => idOf(args(variables)));
      const write = list(cell, this.row(type, nodes, below, found));
      return (cells, bind) => write(cells, bind).slice(1, -1) || null;
    }
    if (!source) throw new NotPlannable(field.name);
    if (declaration.kind === 'many') {
      const { cell, select: below, source: found } = select.many(source, declaration);
      return list(cell, this.row(type, nodes, below, found));
    }
    const found = select.one(source, declaration);
    const id = select.column(found, 'id');
    const write = this.row(type, nodes, select, found);
    return (cells, bind) => (cells[id] === null ? null : write(cells, bind));
  }
}

function argumentsOf(field: GraphQLField<unknown, unknown>, [node]: Nodes, variables: Variables): object {
  if (!node) throw new NotPlannable(field.name);
  return getArgumentValues(field, node, variables);
}

function idOf(args: object): string {
  const id = 'id' in args ? args.id : null;
  if (typeof id !== 'string' || !isId(id)) throw new NotPlannable('what is no id');
  return id;
}
