import { type ExecutionResult, execute } from 'graphql';
import type { RequestContext } from '../context.js';
import { compiledQuery, type Variables } from './compiled.js';
import { maskError } from './mask.js';
import type { Operation } from './operations.js';
import { schema } from './schema.js';

/** The variables of a request: as they were sent, and as the schema has them. */
export interface Given {
  raw: Variables;
  coerced: Variables;
}

/** Runs an operation that is valid and within its limits, with variables that fit; answers the result as JSON. */
export async function runOperation(operation: Operation, variables: Given, ctx: RequestContext): Promise<string> {
  const { data, errors } = await resultOf(operation, variables, ctx);
  if (!errors) return JSON.stringify({ data });
  return JSON.stringify({ errors: errors.map((error) => maskError(error, ctx)), data });
}

async function resultOf(operation: Operation, { raw, coerced }: Given, ctx: RequestContext): Promise<ExecutionResult> {
  const result = await compiledQuery(operation, coerced)?.(ctx, raw);
  if (result && !result.errors) return result;
  // Queries change nothing: the reference executor tells the errors. What was loaded before is still in the loaders.
  return execute({
    schema,
    document: operation.document,
    operationName: operation.name,
    contextValue: ctx,
    variableValues: raw,
  });
}
