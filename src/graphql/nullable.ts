import { NotFoundError } from '../errors.js';

/** A query by id answers null where a command would say NOT_FOUND. */
export async function orNull<Row>(found: Promise<Row>): Promise<Row | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}
