import type { GraphQLField } from 'graphql';
import type { Found, Many, One, Pages, PagesQuery } from '../../relation/relation.js';

/** What a field reads besides columns, for a plan. */
export type Declaration =
  | One
  | Many
  | Found
  | { kind: 'pages'; relation: Pages; query: (args: object) => PagesQuery<never> }
  | { kind: 'count'; relation: Pages };

const key = 'docgatePlan';
const extension = (declaration: unknown) => ({ [key]: declaration });

/** `extensions: joins(relation)` on a field whose resolver loads this relation. */
export const joins = (relation: One | Omit<Many, 'load'>) => extension(relation);

/** The same, for a field that finds a row by its argument `id`. */
export const finds = (relation: Found) => extension(relation);

/** The same, for a connection. @param query makes the list's query out of the field's arguments, as the resolver does */
export const lists = <Filter, Args extends object>(relation: Pages<Filter>, query: (args: Args) => PagesQuery<Filter>) =>
  extension({ kind: 'pages', relation, query });

/** The same, for the number of rows that name the parent. */
export const counts = <Filter>(relation: Pages<Filter>) => extension({ kind: 'count', relation });

/** Null: the field can be answered by its resolver only. */
export const declarationOf = ({ extensions }: GraphQLField<unknown, unknown>): Declaration | null =>
  // Only the functions above put anything under this key; a plan passes arguments on as they are.
  (extensions[key] as Declaration | undefined) ?? null;
