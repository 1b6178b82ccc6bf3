import { type ExecutionResult, valueFromASTUntyped } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { RequestContext } from '../context.js';
import { flagKey, flagsOf, withoutSkipped } from './directives.js';
import type { Operation } from './operations.js';
import { schema } from './schema.js';

export type Variables = Record<string, unknown>;
type Compiled = (context: RequestContext, variables: Variables) => Promise<ExecutionResult> | ExecutionResult;

/** Of one operation, by what its directives skip: more is executed as it is. */
const MAX_COMPILED = 16;

interface Uses {
  flags: string[];
  byFlags: Map<string, Use>;
}

interface Use {
  count: number;
  /** Null: it cannot be compiled. */
  compiled?: Compiled | null;
}

const key = {};

/**
 * A query compiled to JavaScript, from its second use on: compiling costs as much as a few executions. Null for what
 * is to be executed as it is. Results with errors are not to be used: their places and their number may be others
 * than the specification's.
 *
 * @param variables as coerced by the schema
 */
export function compiledQuery(operation: Operation, variables: Variables): Compiled | null {
  if (operation.node.operation !== 'query') return null;
  // Only this function puts anything under its own key.
  const uses = (operation.derived.get(key) as Uses | undefined) ?? { flags: flagsOf(operation.document), byFlags: new Map() };
  operation.derived.set(key, uses);
  const flags = flagKey(uses.flags, variables);
  const use = uses.byFlags.get(flags) ?? { count: 0 };
  if (uses.byFlags.size < MAX_COMPILED) uses.byFlags.set(flags, use);
  use.count += 1;
  if (use.compiled === undefined && use.count > 1) use.compiled = compile(operation, variables);
  return use.compiled ?? null;
}

/** Directives are judged before: the compiler orders the fields of an object as if nothing were skipped. */
function compile(operation: Operation, variables: Variables): Compiled | null {
  const document = withoutSkipped(operation.document, variables);
  if (!document) return null;
  const compiled = compileQuery(schema, document, operation.name, { disablingCapturingStackErrors: true });
  if (!isCompiledQuery(compiled)) return null;
  const defaults = defaultsOf(operation);
  return (context, given) => compiled.query(undefined, context, { ...defaults, ...given });
}

/** The compiler refuses a non-null variable without a value even if it has a default. */
function defaultsOf({ node }: Operation): Variables {
  const withDefault = node.variableDefinitions?.filter((definition) => definition.defaultValue) ?? [];
  return Object.fromEntries(
    withDefault.map(({ variable, defaultValue }) => [variable.name.value, defaultValue && valueFromASTUntyped(defaultValue)]),
  );
}
