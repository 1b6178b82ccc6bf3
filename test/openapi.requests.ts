import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { multipart } from './multipart.js';
import type { Objects } from './objects.js';

export interface Schema {
  type?: string;
  enum?: unknown[];
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  default?: unknown;
  examples?: unknown[];
}
interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  required?: boolean;
  schema: Schema;
  example?: unknown;
}
interface Media {
  schema: Schema;
  examples?: Record<string, { value: unknown }>;
}
export interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, object> }>;
}
export interface Called extends Operation {
  path: string;
  method: string;
}

export type ObjectSet = Objects & { token: string };

/** What requests may name. */
export interface Known {
  /** What the parameters of a path can name together: a document with a file and a share of its own, a storage, a category, an upload. */
  sets: ObjectSet[];
  /** The same for operations after which nothing more can be done with what they are given, by id: each has its own. */
  doomed: Map<string, ObjectSet[]>;
  /** Of everything, another tenant's too. */
  ids: string[];
  userId: string;
}

const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();

/** A request of the description as its reader would send it today: the documented moment has passed. */
export const sentToday = (body: unknown) => JSON.stringify(body)?.replaceAll('2025-08-01T05:38:35+00:00', tomorrow());

const hostile = fc.oneof(
  fc.constantFrom<unknown[]>(null, '', ' ', 0, -1, 1.5, 1e308, true, [], {}, [null], [[[]]], { constructor: 1 }),
  fc.constantFrom('a\0b', '\ud800', '😀', 'x'.repeat(2000), '2026-13-45', '9999999-01-01T00:00:00Z', '0000-01-01T00:00:00Z'),
  fc.constantFrom('-', '../..', "';--", '__proto__'),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values as schemas ask for them, `wild` out of ten replaced by something else. */
class Values {
  constructor(
    private readonly known: Known,
    private readonly wild: number,
  ) {}

  like(schema: Schema): fc.Arbitrary<unknown> {
    return fc.oneof({ weight: 10 - this.wild, arbitrary: this.usual(schema) }, { weight: this.wild, arbitrary: hostile });
  }

  /** What the description itself names, mostly. */
  private usual(schema: Schema): fc.Arbitrary<unknown> {
    const named = schema.examples ?? ('default' in schema ? [schema.default] : null);
    const built = this.built(schema);
    return named?.length ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...named) }, { weight: 1, arbitrary: built }) : built;
  }

  private built({ type, enum: values, anyOf, items, properties, required = [], format, minimum = 1, maximum = 200 }: Schema) {
    if (values) return fc.constantFrom(...values);
    if (anyOf) return fc.oneof(...anyOf.map((schema) => this.usual(schema)));
    if (properties) return this.record(properties, required);
    if (type === 'array') return fc.array(this.usual(items ?? {}), { maxLength: 3 });
    if (type === 'boolean') return fc.boolean();
    if (type === 'number' || type === 'integer') return fc.integer({ min: minimum, max: Math.min(maximum, 200) });
    if (type === 'null') return fc.constant(null);
    if (type === 'object') return fc.constantFrom({}, { a: 1 });
    return this.text(format);
  }

  private text(format?: string): fc.Arbitrary<string> {
    if (format === 'date-time') return fc.constantFrom('2025-08-01T05:38:35+00:00', tomorrow());
    if (format === 'date') return fc.constant('2026-01-01');
    if (format === 'uuid') return fc.constant(this.known.userId);
    return fc.oneof(
      fc.constantFrom('KYC', 'bucket-1', 'true', '2026-01-01'),
      fc.constantFrom(...this.known.ids),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
    );
  }

  private record(properties: Record<string, Schema>, required: string[]): fc.Arbitrary<object> {
    const fields = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, this.like(schema)]));
    return fc.record(fields, { requiredKeys: required });
  }
}

const parts = fc.array(
  fc.record({
    field: fc.oneof({ weight: 8, arbitrary: fc.constantFrom('files', 'file') }, { weight: 1, arbitrary: fc.constant('note') }),
    name: fc.oneof({ weight: 8, arbitrary: fc.constant('a.txt') }, { weight: 1, arbitrary: fc.constant('') }),
    body: fc.string(),
  }),
  { maxLength: 3 },
);

type Payload = Pick<InjectOptions, 'headers' | 'payload'>;

function payloads(content: Record<string, Media>, values: Values): fc.Arbitrary<Payload> {
  const json = content['application/json'];
  if (!json) return parts.map(multipart);
  const examples = Object.values(json.examples ?? {}).map(({ value }) => value);
  return values
    .like({ ...json.schema, examples })
    .map((value) => ({ headers: { 'content-type': 'application/json' }, payload: sentToday(value) }));
}

/** Requests for an operation: half of them as a client means them, the others with everything that clients get wrong. */
export const requestsFor = (operation: Called, known: Known) =>
  fc.oneof(requestsWith(operation, known, 0), requestsWith(operation, known, 3));

function requestsWith(
  { operationId, path, method, parameters = [], requestBody }: Called,
  known: Known,
  wild: number,
): fc.Arbitrary<InjectOptions> {
  const values = new Values(known, wild);
  const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const own = fc.constantFrom(...(known.doomed.get(operationId) ?? known.sets));
  const anything = fc.constantFrom(...known.ids, 'nonsense', '%00', '%F0%9F%98%80', '01ARZ3NDEKTSV4RRFFQ69G5FAV');
  const inQueryLike = ({ name, schema, example }: Parameter): fc.Arbitrary<unknown> =>
    name === 'token' ? own.map(({ token }) => token) : values.like(example === undefined ? schema : { ...schema, examples: [example] });
  const fields = Object.fromEntries(inQuery.map((parameter) => [parameter.name, inQueryLike(parameter)]));
  const required = inQuery.filter(({ required }) => required && wild === 0).map(({ name }) => name);
  const owned: fc.Arbitrary<string[]> = own.map((of) => inPath.map((name) => segmentOf(path, name, of)));
  return fc
    .record({
      segments: fc.oneof(
        { weight: 10 - wild, arbitrary: owned },
        { weight: wild, arbitrary: fc.tuple(...inPath.map((): fc.Arbitrary<string> => anything)) },
      ),
      query: fc.record(fields, { requiredKeys: required }),
      body: requestBody ? payloads(requestBody.content, values) : fc.constant({}),
    })
    .map(({ segments, query, body }) => {
      const filled = inPath.reduce((text, name, index) => text.replace(`{${name}}`, segments[index] ?? ''), path);
      return { method: method.toUpperCase() as 'GET', url: `${filled}?${new URLSearchParams(pairsOf(query))}`, ...body };
    });
}

const pairsOf = (query: Record<string, unknown>) =>
  Object.entries(query).map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value),
  ]);

/** The id of what a parameter of a path names. */
export function segmentOf(path: string, name: string, of: ObjectSet): string {
  if (name === 'token') return of.token;
  if (name === 'share') return of.share.id;
  if (name.startsWith('file')) return of.file.id;
  const owners = { storages: of.storage, categories: of.category, documents: of.document, uploads: of.upload };
  return owners[path.split('/')[1] as keyof typeof owners].id; // a description with another one fails here
}
