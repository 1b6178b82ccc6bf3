import DataLoader from 'dataloader';
import type { RequestContext } from './context.js';

type Batch<Arguments, Row> = (ctx: RequestContext, keys: readonly string[], args: Arguments) => Promise<Map<string, Row>>;

/**
 * Defines a loader where it is used: `export const categoryById = defineLoader(async (ctx, ids) => …)`.
 * All loads of one request in one tick are one call of `batch`; nothing outlives the request, and a write drops what was loaded.
 *
 * @param batch answers a map from key to row; a key that is missing there loads as null
 */
export function defineLoader<Row>(batch: Batch<undefined, Row>) {
  const load = defineLoaderWith(batch);
  return (ctx: RequestContext) => load(ctx, undefined);
}

/** A loader whose batch depends on arguments as well: fields with different arguments never share a batch. */
export function defineLoaderWith<Arguments, Row>(batch: Batch<Arguments, Row>) {
  type Loader = DataLoader<string, Row | null>;
  return (ctx: RequestContext, args: Arguments): Loader => {
    // Only this function puts anything under its own key.
    const byArguments = (ctx.loaders.get(batch) ?? new Map()) as Map<string | undefined, Loader>;
    ctx.loaders.set(batch, byArguments);
    const key = JSON.stringify(args);
    const loader = byArguments.get(key) ?? createLoader(ctx, batch, args);
    byArguments.set(key, loader);
    return loader;
  };
}

function createLoader<Arguments, Row>(ctx: RequestContext, batch: Batch<Arguments, Row>, args: Arguments): DataLoader<string, Row | null> {
  return new DataLoader(async (keys) => {
    const rows = await batch(ctx, keys, args);
    return keys.map((key) => rows.get(key) ?? null);
  });
}

/** Rows by one of their columns, as a loader's batch answers. */
export const indexBy = <Row>(rows: Row[], key: (row: Row) => string): Map<string, Row> => new Map(rows.map((row) => [key(row), row]));

/** Rows grouped by one of their columns, in their order; keys without rows map to an empty list. */
export function groupBy<Row>(rows: Row[], keys: readonly string[], key: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>(keys.map((k) => [k, []]));
  for (const row of rows) groups.get(key(row))?.push(row);
  return groups;
}
