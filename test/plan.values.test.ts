import fc from 'fast-check';
import type { GraphQLString } from 'graphql';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { dateOf } from '../src/db/read.js';
import { columnWriter, isoTime, quote } from '../src/graphql/plan/values.js';
import { schema } from '../src/graphql/schema.js';
import { useWorld } from './world.js';

const world = useWorld();
/** Whatever PostgreSQL can store as text. */
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0') && value.isWellFormed());
const odd = fc
  .array(fc.constantFrom('"', '\\', '{', '}', ',', 'NULL', '\n', '\u0001', '\u001f', '\u007f', '\u2028', "'", '😀', ''))
  .map((parts) => parts.join(''));
const any = fc.oneof(text, odd);

const one = async (sql: string, values: unknown[]) => {
  const [row = []] = await world().gateway.services.reader.texts(sql, values);
  return row[0] ?? null;
};

describe('what a plan writes', () => {
  test('texts as JSON.stringify does', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          any,
          fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed()),
        ),
        (value) => quote(value) === JSON.stringify(value),
      ),
    );
  });

  test('times as the ordinary path does', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
        (date) => {
          const [day, time = ''] = date.toISOString().slice(0, -1).split('T');
          const written = `${day} ${time.replace(/\.?0+$/, '').padEnd(8, ':00')}+00`;
          return isoTime(written) === dateOf(written).toISOString();
        },
      ),
    );
    expect(isoTime('12345-01-02 03:04:05.6+00')).toBe('+012345-01-02T03:04:05.600Z');
  });

  test('rows and lists as they are in the database, whatever their characters', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(any, fc.option(any)), { maxLength: 5 }), async (rows) => {
        const [left, right] = [rows.map(([value]) => value), rows.map(([, value]) => value)];
        const sql = 'to_json(ARRAY(SELECT ARRAY[a, b] FROM unnest($1::text[], $2::text[]) AS row(a, b)))::text';
        expect(JSON.parse((await one(`SELECT ${sql}`, [left, right])) ?? '')).toEqual(rows);
        const nested = `to_json(ARRAY(SELECT json_build_array(a, b, ${sql.slice(0, -6)}) FROM unnest($1::text[], $2::text[]) AS row(a, b)))::text`;
        expect(JSON.parse((await one(`SELECT ${nested}`, [left, right])) ?? '')).toEqual(rows.map((row) => [...row, rows]));
        expect(await one('SELECT to_json($1::text[])::text', [left])).toBe(JSON.stringify(left));
      }),
      { numRuns: 60 },
    );
  });

  test('JSON as the ordinary path does', async () => {
    const { write } = columnWriter(schema.getType('JSON') as typeof GraphQLString); // Any scalar; the schema's JSON is one.
    const { builtins, getTypeParser } = pg.types;
    await fc.assert(
      fc.asyncProperty(
        fc.json({ stringUnit: 'grapheme' }).filter((json) => !json.includes('\\u0000') && !/\\ud[89a-f]/i.test(json)),
        async (json) => {
          const stored = (await one('SELECT $1::jsonb::text', [json])) ?? '';
          expect(write(stored)).toBe(JSON.stringify(getTypeParser(builtins.JSONB)(stored)));
        },
      ),
      { numRuns: 60 },
    );
  });
});
