import { Readable } from 'node:stream';
import type pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ChainCheck, type ChainedEvent, lineOf, type Place, placeOf, readLine } from '../src/audit/audit.chain.js';
import { exportEvents, missingEvents } from '../src/audit/audit.export.js';
import { updateDocument } from '../src/document/document.service.js';
import { createObjects } from './objects.js';
import { useWorld } from './world.js';

const world = useWorld();
const pool = () => world().gateway.database.pool;
let events: ChainedEvent[];

beforeAll(async () => {
  for (const actor of [world().actor('admin'), world().actor('admin')]) {
    const { document } = await createObjects(() => world().context(actor));
    await updateDocument(world().context(actor), document.id, {
      name: 'Größe — "x" \u2028 \\ 👩‍👩‍👧',
      metadata: { a: [1.5, null, { ü: true }] },
    });
  }
  events = await exported();
});

const exported = () => Readable.from(exportEvents(pool())).toArray();

function breaksOf(given: ChainedEvent[]): string[] {
  const check = new ChainCheck();
  for (const event of given) check.add(event);
  return check.report.breaks;
}

async function missing(given: ChainedEvent[], from: pg.Pool = pool()): Promise<Place[]> {
  const found: ChainedEvent[] = await Readable.from(missingEvents(from, Readable.from(given))).toArray();
  return found.map(placeOf);
}

/** The first event that has one before it and one after it in its history. */
function middle(): number {
  const index = events.findIndex((event, at) => {
    const [before, after] = [events[at - 1], events[at + 1]];
    return before && after && [before, after].every((other) => placeOf(other).subjectId === placeOf(event).subjectId);
  });
  expect(index).toBeGreaterThan(0);
  return index;
}

test('what is exported is in order, reads back from its lines, and is all that the database has', async () => {
  const { rows } = await pool().query(
    'SELECT count(*)::int AS count, count(DISTINCT (tenant_id, subject_id))::int AS histories FROM audit_events',
  );
  const check = new ChainCheck();
  for (const event of events) check.add(readLine(lineOf(event).trimEnd()));
  expect(check.report).toEqual({ events: rows[0].count, histories: rows[0].histories, wrong: 0, breaks: [] });
  expect(await missing(events)).toEqual([]);
});

describe('whoever changes an export is found out', () => {
  const without = (index: number) => events.toSpliced(index, 1);
  const cases: [string, (index: number) => ChainedEvent[], RegExp][] = [
    ['by its time', (index) => events.with(index, changed(events[index])), /it was changed/],
    ['by its hash', (index) => events.with(index, { ...at(index), hash: '0'.repeat(64) }), /it was changed/],
    ['by leaving an event out', without, /events 2 to 2 are missing before it/],
    ['by the order of two', (index) => without(index).toSpliced(index + 1, 0, at(index)), /events 2 to 2 are missing before it/],
    ['by an event that comes twice', (index) => events.toSpliced(index, 0, at(index)), /it comes after event 2/],
    ['by an event of another history', (index) => events.with(index, events.at(-1) ?? at(0)), /missing before it/],
  ];
  const at = (index: number) => events[index] ?? { text: '', hash: '' };
  const changed = ({ text, hash } = at(0)) => ({ hash, text: text.replace(/\d{10}\./, '1000000000.') });

  test.each(cases)('%s', (_, tamper, wrong) => {
    const { subjectId } = placeOf(at(middle()));
    const breaks = breaksOf(tamper(middle()));
    expect(breaks.length).toBeGreaterThan(0);
    expect(breaks.join('\n')).toMatch(wrong);
    expect(breaks.some((text) => text.includes(subjectId))).toBe(true);
  });

  test.each([
    '',
    '{}',
    `{"hash": "${'0'.repeat(64)}", "event": [}]}`,
    `{"hash": "${'0'.repeat(64)}", "event": [1, 2]}`,
    '{"hash": "x", "event": []}',
    '[1]',
  ])('by what is no line of an export: %j', (line) => {
    expect(() => readLine(line)).toThrow('no event of an export');
  });
});

describe('whoever changes the database is found out', () => {
  /** Past the triggers, as only the owner of the tables can. */
  async function tamper(sql: string, index: number) {
    const { tenantId, subjectId, seq } = placeOf(events[index] ?? { text: '[]', hash: '' });
    const client = await pool().connect();
    onTestFinished(async () => {
      await client.query('ROLLBACK');
      client.release();
    });
    await client.query('BEGIN');
    await client.query('ALTER TABLE audit_events DISABLE TRIGGER USER');
    const { rowCount } = await client.query(`${sql} WHERE tenant_id = $1 AND subject_id = $2 AND seq = $3`, [tenantId, subjectId, seq]);
    expect(rowCount).toBe(1);
    // The same connection: nobody else sees what is not committed.
    const own = Object.assign(Object.create(pool()), { query: client.query.bind(client) });
    const check = new ChainCheck();
    for await (const event of exportEvents(own)) check.add(event);
    return { breaks: check.report.breaks, lost: await missing(events, own), place: { tenantId, subjectId, seq } };
  }
  const rehashed =
    'SET actor_id = NULL, hash = audit_event_hash((tenant_id, id, subject_id, seq, action, entity_type, entity_id, NULL::uuid, before, after, request_id, created_at, prev_hash, NULL)::audit_events)';

  test('by a change', async () => {
    const { breaks, lost, place } = await tamper(`UPDATE audit_events SET after = '{"name":"x"}'`, middle());
    expect(breaks).toEqual([expect.stringContaining(`history of ${place.subjectId}, event ${place.seq}: it was changed`)]);
    expect(lost).toEqual([place]);
  });

  test('by removing an event', async () => {
    const { breaks, lost, place } = await tamper('DELETE FROM audit_events', middle());
    expect(breaks).toEqual([expect.stringContaining(`event ${place.seq + 1}: events ${place.seq} to ${place.seq} are missing before it`)]);
    expect(lost).toEqual([place]);
  });

  test('by removing the newest event: only an earlier export knows', async () => {
    const { breaks, lost, place } = await tamper('DELETE FROM audit_events', events.length - 1);
    expect(breaks).toEqual([]);
    expect(lost).toEqual([place]);
  });

  test('by a change with a hash that fits: the next event does not follow', async () => {
    const { breaks, lost, place } = await tamper(`UPDATE audit_events ${rehashed}`, middle());
    expect(breaks).toEqual([expect.stringContaining(`event ${place.seq + 1}: it does not follow`)]);
    expect(lost).toEqual([place]);
  });
});
