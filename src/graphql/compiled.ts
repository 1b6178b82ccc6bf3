import { type ExecutionResult, valueFromASTUntyped } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { RequestContext } from '../context.js';
import type { Operation } from './operations.js';
import { schema } from './schema.js';

export type Variables = Record<string, unknown>;
type Compiled = (context: RequestContext, variables: Variables) => Promise<ExecutionResult> | ExecutionResult;

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
 */
export function compiledQuery(operation: Operation): Compiled | null {
  if (operation.node.operation !== 'query') return null;
  // Only this function puts anything under its own key.
  const use = (operation.derived.get(key) as Use | undefined) ?? { count: 0 };
  operation.derived.set(key, use);
  use.count += 1;
  if (use.compiled === undefined && use.count > 1) use.compiled = compile(operation);
  return use.compiled ?? null;
}

function compile(operation: Operation): Compiled | null {
  const compiled = compileQuery(schema, operation.document, operation.name, { disablingCapturingStackErrors: true });
  if (!isCompiledQuery(compiled)) return null;
  const defaults = defaultsOf(operation);
  return (context, variables) => compiled.query(undefined, context, { ...defaults, ...variables });
}

/** The compiler refuses a non-null variable without a value even if it has a default. */
function defaultsOf({ node }: Operation): Variables {
  const withDefault = node.variableDefinitions?.filter((definition) => definition.defaultValue) ?? [];
  return Object.fromEntries(
    withDefault.map(({ variable, defaultValue }) => [variable.name.value, defaultValue && valueFromASTUntyped(defaultValue)]),
  );
}
