import { describe, expect, test } from 'vitest';
import { useLimits } from './limits.world.js';
import { type Place, places, requestAt } from './places.js';

const { world, admin, objects } = useLimits();

describe('whatever value an argument is given', () => {
  const strings = [
    '\0',
    'a\0b',
    '\ud800',
    'x\udfffy',
    'x'.repeat(100_000),
    "'; DROP TABLE documents; --",
    '%_\\',
    '\u202eabc',
    '👩‍👩‍👧‍👦',
    '\u200b',
    '../../etc/passwd',
    '__proto__',
  ];
  const values: Record<string, unknown[]> = {
    String: strings,
    ID: [...strings, '', 'x', 'a'.repeat(41), 'constructor', '..%2f', 5],
    UUID: ['', 'x', '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
    Int: [2 ** 31, 2 ** 31 - 1, -(2 ** 31), 0, -1, 1.5, 1e300, '1'],
    Boolean: ['true', 1],
    DateTime: [
      '+020000-01-01T00:00:00.000Z',
      '-000044-03-15T12:00:00.000Z',
      '0000-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
      '+275760-09-13T00:00:00.000Z',
      '-271821-04-20T00:00:00.000Z',
      '2026-02-30T00:00:00Z',
      '2026-06-30T23:59:60Z',
      '',
      'now',
      0,
    ],
    JSON: [
      { '\0': 1 },
      { a: '\ud800' },
      { a: 1e300 },
      JSON.parse('{"n":12345678901234567890123}'),
      JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1}}'),
      nested(40),
      nested(2000),
      'text',
      5,
      [],
      null,
    ],
    Upload: ['x', {}, null],
  };

  function nested(depth: number): object {
    return JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
  }

  test.each(places.map((place) => [place.name, place] as const))('%s never fails on our side', async (_, place) => {
    for (const value of values[place.type] ?? ['NONE', 1, {}]) {
      const response = await world().inject(admin(), requestAt(place, objects(), value));
      const said = `${JSON.stringify(value)?.slice(0, 80)}: ${response.statusCode} ${response.body.slice(0, 300)}`;
      expect(response.statusCode, said).toBeLessThan(500);
      expect(response.body, said).not.toMatch(/"code":"(INTERNAL|UNAVAILABLE)"/);
      if (!unstorable(place, value)) continue;
      expect(response.body, said).toMatch(
        /"code":"(VALIDATION_FAILED|NOT_FOUND|BAD_USER_INPUT)"|"data":\{"(node|storage|category|document|share|storageMove|upload)":null\}|"nodes":\[null\]/,
      );
    }
  });

  const unstorable = (place: Place, value: unknown) =>
    ['String', 'ID'].includes(place.type) && typeof value === 'string' && (value.includes('\0') || !value.isWellFormed());
});
