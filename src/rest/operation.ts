import { z } from 'zod';

const detail = z
  .object({ detail: z.string(), code: z.string().optional() })
  .meta({ id: 'Detail', description: 'What is wrong, in one sentence.', examples: [{ detail: 'Not found.' }] });
const fields = z.union([z.record(z.string(), z.array(z.string())), detail]).meta({
  id: 'FieldErrors',
  description: 'What is wrong, field by field.',
  examples: [{ name: ['is required'] }],
});

const errorShapes = {
  400: fields.describe('Something in the request is wrong: messages by field, or one detail.'),
  401: detail.describe('No token, or not a valid one.'),
  403: detail.describe('The token does not allow this; or the share does not open yet, or does not allow it.'),
  404: detail.describe('No such object, or another tenant’s.'),
  409: detail.describe('The state of the object does not allow this.'),
  410: detail.describe('The share expired, was revoked, is used up, or its document is not available.'),
  412: detail.describe('If-Match names another version.'),
  413: detail.describe('The body or a file is too large.'),
  415: detail.describe('The media type is not supported.'),
  416: detail.describe('Nothing of the range lies within the file; see Content-Range.'),
  429: detail.describe('Too many attempts; see Retry-After.'),
  500: detail.describe('A fault on our side; quote its request id.'),
  503: detail.describe('Not available at the moment; see Retry-After.'),
} as const;
type ErrorStatus = keyof typeof errorShapes;

/** What an operation may answer besides success. */
export const reading: ErrorStatus[] = [400, 401, 403, 404, 500, 503];
export const writing: ErrorStatus[] = [...reading, 409, 412, 413, 415];
export const opening: ErrorStatus[] = [...reading, 410, 429];

/** An answer in other media types than JSON. */
interface Content {
  description: string;
  content: Record<string, { schema: z.ZodType }>;
}

/** The parts of the reference. */
export const operationTags = ['Storage', 'Category', 'Document', 'Upload', 'Sharing'] as const;

interface Operation<Body, Query, Params> {
  id: string;
  summary: string;
  tag: (typeof operationTags)[number];
  body?: Body;
  /** For the reference: the body as `multipart/form-data`, where it is taken. */
  form?: z.ZodType;
  /** Takes the body as JSON too, beside a form; checks only that, as a form's fields may be yet to come. */
  json?: true;
  query?: Query;
  params?: Params;
  /** Answers of success, by status. */
  ok: Record<number, z.ZodType | Content>;
  errors: ErrorStatus[];
  /** Opens without a bearer token. */
  open?: boolean;
}

type WithoutNothing<Part> = [Part] extends [z.ZodType] ? Part : z.ZodUnknown;

/** The schema of a route: what it takes, what it may answer, and its page in the reference. */
export function operation<Body, Query, Params>({
  id,
  summary,
  tag,
  body,
  form,
  json,
  query,
  params,
  ok,
  errors,
  open,
}: Operation<Body, Query, Params>) {
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: open ? [] : [{ bearer: [] }],
    ...(body !== undefined && { body: json ? { content: { 'application/json': { schema: body } } } : body }),
    ...(form !== undefined && { form }),
    ...(json && { json: body }),
    ...(query !== undefined && { querystring: query }),
    ...(params !== undefined && { params }),
    response: { ...Object.fromEntries(errors.map((status) => [status, errorShapes[status]])), ...ok },
  } as { operationId: string; body: WithoutNothing<Body>; querystring: WithoutNothing<Query>; params: WithoutNothing<Params> }; // as zod knows them
}

const binary = z.string().meta({ format: 'binary' });

/** Bytes of these media types. */
export const bytes = (description: string, ...types: string[]): Content => ({
  description,
  content: Object.fromEntries(types.map((type) => [type, { schema: binary }])),
});

export const empty = z.null().describe('No content.');

/** What a body looks like, for the reference. (`examples` of zod are of what it makes of a body.) */
export const example = (value: object) => ({ 'x-examples': { usual: { value } } });

/** `{id}` in a path. */
export const idParams = z.object({ id: z.string().meta({ description: 'Its id.' }) });

/** Any JSON object, whose contents the service checks. */
export const anyObject = z.record(z.string(), z.unknown());
