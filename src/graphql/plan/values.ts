import { type GraphQLOutputType, getNullableType, isEnumType, isListType, isScalarType } from 'graphql';
import { dateOf } from '../../db/read.js';
import { NotPlannable } from './not-plannable.js';

/** How a column's text, as PostgreSQL writes it, becomes the JSON of a field. */
export interface ColumnWriter {
  /** Whether the text has to be JSON already. */
  json: boolean;
  write: (text: string) => string;
}

// What JSON.stringify would escape. Nothing else is: PostgreSQL holds no lone surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const unsafe = /["\\\u0000-\u001f]/;

export const quote = (text: string): string => (unsafe.test(text) ? JSON.stringify(text) : `"${text}"`);

const asIs = (text: string) => text;

/** For each scalar what its `serialize` and JSON.stringify do to a column of it. */
const scalars = new Map<string, (text: string) => string>([
  ['ID', quote],
  ['String', quote],
  ['UUID', quote],
  ['Int', asIs],
  ['Boolean', asIs],
  ['ByteSize', (text) => String(Number(text))],
  ['DateTime', (text) => `"${isoTime(text)}"`],
  ['JSON', (text) => JSON.stringify(JSON.parse(text))],
]);

/** @throws NotPlannable for a type that no column has */
export function columnWriter(type: GraphQLOutputType): ColumnWriter {
  const nullable = getNullableType(type);
  if (isListType(nullable)) {
    const item = getNullableType(nullable.ofType);
    if (isScalarType(item) && scalars.get(item.name) === quote) return { json: true, write: asIs };
    throw new NotPlannable(`a list of ${item}`);
  }
  if (isEnumType(nullable)) {
    const names = new Map(nullable.getValues().map(({ name, value }) => [String(value), `"${name}"`]));
    return { json: false, write: (text) => names.get(text) ?? unknownValue(text) };
  }
  const write = isScalarType(nullable) ? scalars.get(nullable.name) : undefined;
  if (!write) throw new NotPlannable(String(type));
  return { json: false, write };
}

function unknownValue(text: string): never {
  throw new NotPlannable(`the value ${text}`);
}

const usual = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?\+00$/;

/** A time as PostgreSQL writes it in UTC, as JavaScript writes it. */
export function isoTime(text: string): string {
  if (!usual.test(text)) return dateOf(text).toISOString();
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).padEnd(3, '0')}Z`;
}
