import { z } from 'zod';
import { description, name, reference, version } from '../input.js';

export const createCategoryInput = z.object({
  name: name(100),
  description: description(255).nullish(),
  parentId: reference(),
});
export type CreateCategoryInput = z.input<typeof createCategoryInput>;

/** An absent `parentId` leaves it; null or "" makes the category a root. */
export const updateCategoryInput = z.object({
  name: name(100).nullish(),
  description: description(255).nullish(),
  parentId: reference(),
  expectedVersion: version(),
});
export type UpdateCategoryInput = z.input<typeof updateCategoryInput>;
