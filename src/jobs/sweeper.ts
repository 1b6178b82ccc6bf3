import { createContext, type RequestContext, type Services } from '../context.js';
import { newId } from '../db/id.js';
import { compactDocumentCounts } from '../document/document.sweeper.js';
import { expireUploads, sweepFiles } from '../file/file.sweeper.js';
import { sweepObjects } from '../file/removal.sweeper.js';
import { sweepAnswers } from '../idempotency.sweeper.js';
import { removeRenditions } from '../rendition/rendition.store.js';
import { purgeDocuments, sweepTransfers } from '../share/share.sweeper.js';
import { releaseUploads, sweepUploads } from '../upload/upload.sweeper.js';

const INTERVAL = 60_000;
const HOUR = 60 * 60_000;

/**
 * Finishes off what crashes and expired retention left, now and every minute, until stopped.
 *
 * @param alone whether this is the only process on the database: then no upload can be running elsewhere
 */
export async function startSweeper(services: Services, alone: boolean): Promise<{ stop: () => Promise<void> }> {
  const ctx = () => createContext(services, { requestId: `sweep-${newId()}`, viewer: null, baseUrl: '' });
  if (alone) {
    await expireUploads(ctx());
    await releaseUploads(ctx());
  }
  let running = sweep(ctx(), alone ? 0 : HOUR);
  const timer = setInterval(() => {
    running = running.then(() => sweep(ctx(), HOUR));
  }, INTERVAL);
  return {
    stop: () => {
      clearInterval(timer);
      return running;
    },
  };
}

async function sweep(ctx: RequestContext, idleFor: number): Promise<void> {
  try {
    await ctx.services.blobs.sweepTemporary(idleFor, (err) => ctx.log.warn({ err }, 'a folder could not be swept'));
    await sweepTransfers(ctx);
    const uploads = await sweepUploads(ctx);
    const files = await sweepFiles(ctx, removeRenditions);
    const objects = await sweepObjects(ctx);
    const documents = await purgeDocuments(ctx);
    await compactDocumentCounts(ctx);
    await sweepAnswers(ctx);
    if (uploads + files + objects + documents > 0) ctx.log.info({ uploads, files, objects, documents }, 'swept');
  } catch (error) {
    ctx.log.error({ err: error }, 'the sweeper failed; it tries again in a minute');
  }
}
