import type pg from 'pg';
import { type ChainedEvent, placeOf } from './audit.chain.js';

const BATCH = 1000;

/** All events of all tenants, history by history, as they stand in the database. Reads them a few at a time. */
export async function* exportEvents(pool: pg.Pool): AsyncGenerator<ChainedEvent> {
  let batch: ChainedEvent[] = [];
  do {
    batch = await nextEvents(pool, batch.at(-1));
    yield* batch;
  } while (batch.length === BATCH);
}

async function nextEvents(pool: pg.Pool, last: ChainedEvent | undefined): Promise<ChainedEvent[]> {
  const after = last && placeOf(last);
  const { rows } = await pool.query<ChainedEvent>(
    `SELECT audit_event_text(e) AS text, coalesce(encode(e.hash, 'hex'), '') AS hash FROM audit_events e
      WHERE ($1::uuid IS NULL OR (e.tenant_id, e.subject_id, e.seq) > ($1::uuid, $2::text, $3::int))
      ORDER BY e.tenant_id, e.subject_id, e.seq LIMIT ${BATCH}`,
    [after?.tenantId ?? null, after?.subjectId ?? null, after?.seq ?? null],
  );
  return rows;
}

/** Those of the events that the database does not have any more, or has otherwise. Looks them up a few at a time. */
export async function* missingEvents(pool: pg.Pool, events: AsyncIterable<ChainedEvent>): AsyncGenerator<ChainedEvent> {
  let batch: ChainedEvent[] = [];
  for await (const event of events) {
    batch.push(event);
    if (batch.length < BATCH) continue;
    yield* await missingOf(pool, batch);
    batch = [];
  }
  yield* await missingOf(pool, batch);
}

async function missingOf(pool: pg.Pool, events: ChainedEvent[]): Promise<ChainedEvent[]> {
  const places = events.map(placeOf);
  const { rows } = await pool.query<{ at: number }>(
    `SELECT g.at::int FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[]) WITH ORDINALITY AS g(tenant_id, subject_id, seq, text, at)
      WHERE NOT EXISTS (
        SELECT FROM audit_events e
         WHERE e.tenant_id = g.tenant_id AND e.subject_id = g.subject_id AND e.seq = g.seq AND audit_event_text(e) = g.text)
      ORDER BY g.at`,
    [
      places.map(({ tenantId }) => tenantId),
      places.map(({ subjectId }) => subjectId),
      places.map(({ seq }) => seq),
      events.map(({ text }) => text),
    ],
  );
  return rows.flatMap(({ at }) => events[at - 1] ?? []);
}
