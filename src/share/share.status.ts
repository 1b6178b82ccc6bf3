import type { Document as DocumentRow, Share as ShareRow } from '../db/generated/client.js';
import { type GoneReason, ShareGoneError } from '../errors.js';

export const shareStatuses = ['ACTIVE', 'NOT_YET', 'EXPIRED', 'REVOKED', 'USED_UP', 'DOCUMENT_UNAVAILABLE'] as const;
export type ShareStatus = (typeof shareStatuses)[number];

/** Whether a share opens now, judged by the share and its document; null: the document is in the trash. */
export function shareStatus(share: ShareRow, document: DocumentRow | null, now: Date): ShareStatus {
  if (share.revokedAt) return 'REVOKED';
  if (share.expiresAt <= now) return 'EXPIRED';
  if (share.notBefore && share.notBefore > now) return 'NOT_YET';
  if (!document || document.status === 'REJECTED' || document.status === 'INACTIVE') return 'DOCUMENT_UNAVAILABLE';
  if (share.maxDownloads !== null && share.downloadCount >= share.maxDownloads) return 'USED_UP';
  return 'ACTIVE';
}

const why: Record<GoneReason, string> = {
  EXPIRED: 'This link has expired. Ask whoever sent it for a new one.',
  REVOKED: 'This link was withdrawn. Ask whoever sent it for a new one.',
  USED_UP: 'This link has been used as often as it allows. Ask whoever sent it for a new one.',
  DOCUMENT_UNAVAILABLE: 'The document behind this link is not available. Ask whoever sent it.',
  FILE_UNAVAILABLE: 'What this link showed is no longer available. Ask whoever sent it.',
  NOT_YET: 'This link does not open yet. Come again later.',
};

export const shareGone = (reason: GoneReason, opensAt: Date | null = null) => new ShareGoneError(reason, why[reason], opensAt);
