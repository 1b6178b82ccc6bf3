import type pg from 'pg';
import { expect } from 'vitest';
import { newId } from '../src/db/id.js';
import { type Actor, useWorld } from './world.js';

export const transitions = {
  approve: { input: 'ApproveInput', extra: {}, from: ['PENDING', 'REJECTED'], to: 'APPROVED', action: 'document.approved' },
  reject: {
    input: 'RejectInput',
    extra: { reason: 'blurred' },
    from: ['PENDING', 'APPROVED'],
    to: 'REJECTED',
    action: 'document.rejected',
  },
  inactivate: {
    input: 'InactivateInput',
    extra: {},
    from: ['PENDING', 'APPROVED', 'REJECTED'],
    to: 'INACTIVE',
    action: 'document.inactivated',
  },
  reactivate: { input: 'ReactivateInput', extra: {}, from: ['INACTIVE'], to: 'PENDING', action: 'document.reactivated' },
} as const;
export type Transition = keyof typeof transitions;
/** The shortest way from PENDING to each state. */
export const ways: Record<string, Transition[]> = { PENDING: [], APPROVED: ['approve'], REJECTED: ['reject'], INACTIVE: ['inactivate'] };

export const selection = `__typename ... on Error { code message } ... on ConflictError { currentVersion }
  ... on Document { id status version reviewedBy reviewedAt rejectionReason }`;

export interface Event {
  subject: string;
  action: string;
  before: { status?: string } | null;
  after: { status?: string } | null;
  intact: boolean;
}

/** The events of a tenant, oldest first, each with whether its hash is right and follows from the one before. */

/** Documents and what becomes of them. */
export function useWorkflow() {
  const world = useWorld();

  async function mutate(actor: Actor, field: string, type: string, input: object, select = selection) {
    const { data, errors } = await world().graphql(actor, `mutation ($input: ${type}!) { ${field}(input: $input) { ${select} } }`, {
      input,
    });
    expect(errors).toBeUndefined();
    return data[field];
  }

  const move = (actor: Actor, transition: Transition, id: string, expectedVersion?: number) =>
    mutate(actor, transition, transitions[transition].input, { id, ...transitions[transition].extra, expectedVersion });

  async function documentIn(actor: Actor, status = 'PENDING'): Promise<string> {
    const { id } = await mutate(actor, 'createDocument', 'CreateDocumentInput', { name: 'D' });
    for (const step of ways[status] ?? []) expect(await move(actor, step, id)).toMatchObject({ __typename: 'Document' });
    return id;
  }

  /** Many at once, without a history: as if they had always been there. */
  async function pendingDocuments(actor: Actor, count: number): Promise<string[]> {
    const { prisma } = world().gateway.services;
    const template = await prisma.document.findFirstOrThrow({ where: { id: await documentIn(world().actor('admin', actor.tenantId)) } });
    await prisma.document.deleteMany({ where: { tenantId: actor.tenantId } });
    const rows = Array.from({ length: count }, () => ({ ...template, id: newId(), metadata: {} }));
    await prisma.document.createMany({ data: rows });
    return rows.map(({ id }) => id);
  }

  const documentOf = async (actor: Actor, id: string) =>
    (
      await world().graphql(actor, 'query ($id: ID!) { document(id: $id) { status version reviewedBy rejectionReason } }', {
        id,
      })
    ).data.document;

  async function eventsOf(tenantId: string, database: Pick<pg.ClientBase, 'query'> = world().gateway.database.pool): Promise<Event[]> {
    const { rows } = await database.query<Event>(
      `SELECT e.subject_id AS subject, e.action, e.before, e.after,
              e.hash = audit_event_hash(e) AND e.seq = row_number() OVER w AND e.prev_hash IS NOT DISTINCT FROM lag(e.hash) OVER w AS intact
         FROM audit_events e WHERE e.tenant_id = $1 WINDOW w AS (PARTITION BY e.subject_id ORDER BY e.seq) ORDER BY e.subject_id, e.seq`,
      [tenantId],
    );
    return rows;
  }
  return { world, mutate, move, documentIn, pendingDocuments, documentOf, eventsOf };
}
