import { z } from 'zod';
import type { DocumentFilter } from '../document/document.filter.js';
import { version } from '../input.js';

const MAX_IDS = 1000;

/** Either `documentIds` or `filter`. An empty filter names all documents. */
export const moveStorageInput = z
  .object({
    toStorageId: z.string(),
    documentIds: z.array(z.string()).min(1, 'name at least one document').max(MAX_IDS, `at most ${MAX_IDS} ids; use a filter`).nullish(),
    // Its parts are checked where they become conditions, as for every list of documents.
    filter: z.custom<DocumentFilter>().nullish(),
  })
  .refine(({ documentIds, filter }) => (documentIds == null) !== (filter == null), 'give either documentIds or filter');
export type MoveStorageInput = z.input<typeof moveStorageInput>;

export const changeMoveInput = z.object({ expectedVersion: version() });
export type ChangeMoveInput = z.input<typeof changeMoveInput>;
