import { getVariableValues } from 'graphql/execution/values.js';
import type { RequestContext } from '../context.js';
import { DomainError } from '../errors.js';
import type { Variables } from './compiled.js';
import { costErrors } from './limits.js';
import { findOperation, type Operation } from './operations.js';
import { answerPlanned } from './plan/plan.js';
import { runOperation } from './run.js';
import { schema } from './schema.js';
import { sizesOf } from './sizes.js';
import { type DocumentParams, documentText, type TrustedDocuments } from './trusted.js';

/** A POST to `/graphql`, as the HTTP host has read it. */
export interface PostRequest {
  contentType: string | undefined;
  accept: string | undefined;
  body: unknown;
}

export interface PostOptions {
  /** Whether a query may be answered by one statement, without the executor. */
  mayPlan: boolean;
  /** The only operations that are answered; null: all are. */
  trusted: TrustedDocuments | null;
}

export interface PostAnswer {
  contentType: string;
  body: string;
}

/**
 * The short way for what nearly all requests are: an operation in JSON that is valid, within its limits and executed
 * to a status of 200. Null for all others, which yoga answers: what is wrong with a request is told in one place.
 *
 * The documents that are trusted are obeyed here as there.
 */
export async function answerPost(request: PostRequest, ctx: RequestContext, { mayPlan, trusted }: PostOptions): Promise<PostAnswer | null> {
  const contentType = answerType(request.accept);
  if (!contentType || !isJson(request.contentType)) return null;
  const params = readParams(request.body, trusted);
  const operation = params && findOperation(params.query, params.operationName);
  const variables = operation && soundVariables(operation, params.variables, ctx);
  if (!variables) return null;
  const planned = mayPlan ? await answerPlanned(operation, variables, ctx) : null;
  return {
    contentType: `${contentType}; charset=utf-8`,
    body: planned ?? (await runOperation(operation, { raw: params.variables, coerced: variables }, ctx)),
  };
}

const isJson = (type: string | undefined) => type !== undefined && /^application\/json(?:; ?charset=utf-8)?$/i.test(type);

const regular = ['application/graphql-response+json', 'application/json'] as const;

/** The first media type that the client names and we have; null when only yoga can tell. */
function answerType(accept = '*/*'): (typeof regular)[number] | null {
  if (accept === '*/*') return 'application/json';
  for (const asked of accept.toLowerCase().split(',')) {
    const type = asked.trim();
    const known = regular.find((name) => name === type);
    if (known) return known;
    if (type === '*/*') return 'application/json';
    // Parameters and wildcards of other kinds change what counts.
    if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) return null;
  }
  return null;
}

interface Params {
  query: string;
  operationName: string | null | undefined;
  variables: Variables;
}

const names = new Set(['query', 'documentId', 'operationName', 'variables', 'extensions']);

function readParams(body: unknown, trusted: TrustedDocuments | null): Params | null {
  const parsed = Buffer.isBuffer(body) ? parseObject(body.toString()) : null;
  if (!parsed || Object.keys(parsed).some((name) => !names.has(name))) return null;
  const { operationName, variables, extensions } = parsed;
  if (extensions != null && !(isObject(extensions) && Object.keys(extensions).every((name) => name === 'persistedQuery'))) return null;
  const query = textOrNull(parsed, trusted);
  if (query === null) return null;
  if (operationName != null && typeof operationName !== 'string') return null;
  if (variables != null && !isObject(variables)) return null;
  return { query, operationName, variables: variables ?? {} };
}

function textOrNull(params: DocumentParams, trusted: TrustedDocuments | null): string | null {
  try {
    const text = documentText(params, trusted);
    return typeof text === 'string' ? text : null;
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The variables as the schema has them; null when they do not fit, or make the operation too deep or too costly. */
function soundVariables(operation: Operation, variables: Variables, ctx: RequestContext): Variables | null {
  const { coerced } = getVariableValues(schema, operation.node.variableDefinitions ?? [], variables);
  return coerced && isWithinLimits(operation, variables, ctx) ? coerced : null;
}

/** How many combinations of sizes are remembered of one operation. */
const MAX_SIZES = 100;
const key = {};

/** To judge an operation costs as much as to answer it: it is done once for each combination of sizes. */
function isWithinLimits(operation: Operation, variables: Variables, ctx: RequestContext): boolean {
  // Only this function puts anything under its own key.
  const accepted = (operation.derived.get(key) as Set<string> | undefined) ?? new Set<string>();
  operation.derived.set(key, accepted);
  const sizes = sizesOf(variables);
  if (accepted.has(sizes)) return true;
  const { document, name } = operation;
  if (costErrors({ schema, document, operationName: name, variableValues: variables }, ctx).length > 0) return false;
  if (accepted.size < MAX_SIZES && sizes.length < 1000) accepted.add(sizes);
  return true;
}
