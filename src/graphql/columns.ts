import { type FieldNode, type GraphQLResolveInfo, getNamedType, isObjectType, Kind, type SelectionSetNode } from 'graphql';
import type { Columns } from '../relation/table.js';
import { declarationOf } from './plan/declare.js';

type Fragments = GraphQLResolveInfo['fragments'];
type ObjectType = NonNullable<ReturnType<typeof objectType>>;

const known = new WeakMap<readonly FieldNode[], { columns: Columns | undefined }>();

/**
 * The columns that the resolvers below a field look at, of the rows that it answers: as many as are selected under any
 * condition. Undefined: all, because one of them is given the whole row.
 */
export function columnsBelow({ fieldNodes, returnType, fragments }: GraphQLResolveInfo): Columns | undefined {
  const found = known.get(fieldNodes);
  if (found) return found.columns;
  const type = objectType(returnType);
  const columns = type ? columnsOfRows(type, fieldsBelow(fieldNodes, fragments), fragments) : undefined;
  known.set(fieldNodes, { columns });
  return columns;
}

/** Rows lie in the `nodes` of a connection and in the `node` of its edges, or are what is answered. */
function columnsOfRows(type: ObjectType, fields: FieldNode[], fragments: Fragments): Columns | undefined {
  if (!type.name.endsWith('Connection')) return columnsOfRow(type, fields);
  const named = (name: string, among: FieldNode[]) => among.filter((field) => field.name.value === name);
  const edges = fieldsBelow(named('edges', fields), fragments);
  const rows = fieldsBelow([...named('nodes', fields), ...named('node', edges)], fragments);
  const row = objectType(type.getFields().nodes?.type);
  return row ? columnsOfRow(row, rows) : undefined;
}

function columnsOfRow(type: ObjectType, fields: FieldNode[]): Columns | undefined {
  const columns = new Set<string>();
  for (const { name } of fields) {
    const read = name.value === '__typename' ? [] : columnsOfField(type, name.value);
    if (!read) return undefined;
    for (const column of read) columns.add(column);
  }
  return [...columns].sort();
}

/** Null: it may look at any. */
function columnsOfField(type: ObjectType, name: string): string[] | null {
  const field = type.getFields()[name];
  // What a fragment selects of another type.
  if (!field) return [];
  const { pothosExposedField: exposed, pothosResolveWrapped: wrapped } = field.extensions;
  if (typeof exposed === 'string' && !wrapped) return [exposed];
  const declaration = declarationOf(field);
  if (!declaration) return null;
  return [declaration.kind === 'one' ? declaration.key : 'id'];
}

/** What is selected below these fields, whatever directives and types it depends on. */
function fieldsBelow(nodes: readonly FieldNode[], fragments: Fragments): FieldNode[] {
  // The second time a fragment has nothing to add; without this some could be written out a million times.
  const seen = new Set<string>();
  const fieldsOf = ({ selections }: SelectionSetNode): FieldNode[] =>
    selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return [selection];
      if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsOf(selection.selectionSet);
      const fragment = seen.has(selection.name.value) ? null : fragments[selection.name.value];
      seen.add(selection.name.value);
      return fragment ? fieldsOf(fragment.selectionSet) : [];
    });
  return nodes.flatMap(({ selectionSet }) => (selectionSet ? fieldsOf(selectionSet) : []));
}

function objectType(type: Parameters<typeof getNamedType>[0]) {
  const named = getNamedType(type);
  return isObjectType(named) ? named : null;
}
