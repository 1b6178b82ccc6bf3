import { authorize, type Policy } from '../auth/policy.js';
import { inTransaction, type RequestContext } from '../context.js';
import type { DocumentStatus } from '../db/generated/client.js';
import { changedRow } from '../db/rows.js';
import { ConflictError } from '../errors.js';
import { parseInput } from '../input.js';
import { type RejectInput, rejectInput, type TransitionInput, transitionInput } from './document.input.js';
import { canApproveDocument, canRejectDocument, canWriteDocuments } from './document.policy.js';
import { type DocumentRow, lockDocument, recordDocumentEvent } from './document.service.js';

interface Transition {
  policy: Policy;
  from: DocumentStatus[];
  to: DocumentStatus;
  action: 'document.approved' | 'document.rejected' | 'document.inactivated' | 'document.reactivated';
}

const approval: Transition = { policy: canApproveDocument, from: ['PENDING', 'REJECTED'], to: 'APPROVED', action: 'document.approved' };
const rejection: Transition = { policy: canRejectDocument, from: ['PENDING', 'APPROVED'], to: 'REJECTED', action: 'document.rejected' };
const inactivation: Transition = {
  policy: canWriteDocuments,
  from: ['PENDING', 'APPROVED', 'REJECTED'],
  to: 'INACTIVE',
  action: 'document.inactivated',
};
const reactivation: Transition = { policy: canWriteDocuments, from: ['INACTIVE'], to: 'PENDING', action: 'document.reactivated' };

const unreviewed = { reviewedBy: null, reviewedAt: null, rejectionReason: null };

export function approve(ctx: RequestContext, id: string, raw: TransitionInput): Promise<DocumentRow> {
  const { expectedVersion } = parseInput(transitionInput, raw);
  return move(ctx, id, expectedVersion, approval, { ...review(ctx), rejectionReason: null });
}

export function reject(ctx: RequestContext, id: string, raw: RejectInput): Promise<DocumentRow> {
  authorize(ctx, canRejectDocument);
  const { expectedVersion, reason } = parseInput(rejectInput, raw);
  return move(ctx, id, expectedVersion, rejection, { ...review(ctx), rejectionReason: reason });
}

export function inactivate(ctx: RequestContext, id: string, raw: TransitionInput): Promise<DocumentRow> {
  const { expectedVersion } = parseInput(transitionInput, raw);
  return move(ctx, id, expectedVersion, inactivation, {});
}

/** Back to PENDING: whatever was approved before has to be looked at again. */
export function reactivate(ctx: RequestContext, id: string, raw: TransitionInput): Promise<DocumentRow> {
  const { expectedVersion } = parseInput(transitionInput, raw);
  return move(ctx, id, expectedVersion, reactivation, unreviewed);
}

const review = (ctx: RequestContext) => ({ reviewedBy: ctx.viewer?.userId ?? null, reviewedAt: ctx.now() });

interface ReviewColumns {
  reviewedBy?: string | null;
  reviewedAt?: Date | null;
  rejectionReason?: string | null;
}

async function move(
  ctx: RequestContext,
  id: string,
  expectedVersion: number | null | undefined,
  { policy, from, to, action }: Transition,
  columns: ReviewColumns,
): Promise<DocumentRow> {
  authorize(ctx, policy);
  return inTransaction(ctx, async (tx) => {
    const before = await lockDocument(tx, id, expectedVersion);
    const [after] = await tx.db.document.updateManyAndReturn({
      where: { id, status: { in: from } },
      data: { status: to, ...columns, ...changedRow(tx) },
    });
    if (!after) throw forbiddenTransition(before, to);
    const state = (row: DocumentRow) => ({
      status: row.status,
      ...(row.rejectionReason !== null && { rejectionReason: row.rejectionReason }),
    });
    await recordDocumentEvent(tx, id, action, { before: state(before), after: state(after) });
    return after;
  });
}

function forbiddenTransition(row: DocumentRow, to: DocumentStatus): ConflictError {
  const now = row.status.toLowerCase();
  const hint = row.status === to ? `It is ${now} already.` : `It is ${now}, from where it cannot become ${to.toLowerCase()}.`;
  return new ConflictError(`The document's status does not allow this. ${hint}`, row.version);
}

/** A review is one of certain bytes: when the files change, an APPROVED or REJECTED document is PENDING again. */
export async function filesChanged(ctx: RequestContext, row: DocumentRow): Promise<DocumentRow> {
  const reviewed = row.status === 'APPROVED' || row.status === 'REJECTED';
  const data = { ...(reviewed && { status: 'PENDING' as const, ...unreviewed }), ...changedRow(ctx) };
  const [after = row] = await ctx.db.document.updateManyAndReturn({ where: { id: row.id }, data });
  return after;
}
