import { z } from 'zod';
import { isId } from './db/id.js';
import { type FieldIssue, ValidationError } from './errors.js';
import { plainMessage } from './input.messages.js';

z.config({ customError: plainMessage });

/** Checks a use case's input. All that is wrong is reported at once, each with its path. @param found what the caller found wrong itself */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown, found: FieldIssue[] = []): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success && found.length === 0) return parsed.data;
  const issues = parsed.error?.issues ?? [];
  throw new ValidationError([...found, ...issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))]);
}

/** Text that PostgreSQL and JSON can hold: no NUL, no half of a surrogate pair. */
export const text = () =>
  z.string().refine((value) => !value.includes('\0') && value.isWellFormed(), 'must be well-formed Unicode without NUL characters');

/** A required one-line name, trimmed. Lengths are counted in characters (code points), not in UTF-16 units. */
export const name = (max: number) =>
  text()
    .transform((value) => value.trim())
    .refine((value) => value.length > 0, 'must not be empty')
    .refine((value) => length(value) <= max, `must have at most ${max} characters`);

export const description = (max: number) => text().refine((value) => length(value) <= max, `must have at most ${max} characters`);

/** A reference: null and "" mean none, an absent one is undefined. Whether it exists is for the service to say. */
export const reference = () =>
  z
    .string()
    .nullable()
    .transform((value) => value || null)
    .refine((value) => value === null || isId(value), 'is not an id')
    .optional();

export const version = () => z.number().int().nullish();

const length = (value: string): number => (value.length > 40 ? [...value].length : value.length);

const MAX_DEPTH = 32;

/** A JSON object of at most `bytes` when serialised, that PostgreSQL's jsonb can hold. */
export const jsonObject = (bytes: number) =>
  z
    .custom<Record<string, JsonValue>>()
    .superRefine((value, ctx) => {
      const problem = jsonProblem(value, bytes);
      if (problem) ctx.addIssue({ code: 'custom', message: problem });
    })
    .meta({ type: 'object', description: `A JSON object of at most ${bytes} bytes. Numbers beyond 2^53 go as text.` });

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

function jsonProblem(value: unknown, bytes: number): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be a JSON object';
  return storable(value, 0) ?? (Buffer.byteLength(JSON.stringify(value)) > bytes ? `must be at most ${bytes} bytes as JSON` : null);
}

/** Beyond this, reading JSON turns a whole number into another. */
const kept = (value: number) => Math.abs(value) <= Number.MAX_SAFE_INTEGER;

function storable(value: unknown, depth: number): string | null {
  if (depth > MAX_DEPTH) return `must not nest deeper than ${MAX_DEPTH}`;
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed() ? 'must not contain NUL or broken Unicode' : null;
  if (typeof value === 'number')
    return kept(value) ? null : `must not contain numbers beyond ${Number.MAX_SAFE_INTEGER}; send them as text`;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, part] of Object.entries(value)) {
    // On its way to the database it would be lost.
    if (key === '__proto__') return 'must not have the name __proto__';
    const problem = storable(key, depth) ?? storable(part, depth + 1);
    if (problem) return problem;
  }
  return null;
}
