import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { ValidationError } from '../errors.js';

/** Checks a part of a request; what is wrong leaves as the contract's field errors. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    const parsed = schema.safeParse(httpPart === 'querystring' ? lastOfEach(data) : data);
    if (parsed.success) return { value: parsed.data };
    return { error: new ValidationError(parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))) };
  };
};

/** Of a parameter that comes twice the last counts, as it always has. Empty ones are not there, except where empty says something. */
function lastOfEach(query: unknown): object {
  const last = Object.entries(Object(query)).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return Object.fromEntries(last.filter(([name, value]) => value !== '' || name === 'parent'));
}
