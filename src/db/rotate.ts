import type pg from 'pg';
import type { SecretOwner, Secrets } from './secrets.js';

/** A column whose values `Secrets` sealed for the row's own table, tenant and id. */
export interface SealedColumn {
  table: string;
  column: string;
}

/** Every one of them. What is missing here is lost once its key is dropped; a test compares it with the database. */
export const sealedColumns: SealedColumn[] = [
  { table: 'storages', column: 'credentials' },
  { table: 'shares', column: 'token' },
  { table: 'idempotency_keys', column: 'answer' },
];

export interface Rotation extends SealedColumn {
  /** Values that are under the current key now and were not before. */
  rotated: number;
  /** Rows whose value no given key opens. */
  unreadable: Pick<SecretOwner, 'tenantId' | 'id'>[];
}

interface SealedRow {
  tenantId: string;
  id: string;
  box: Buffer;
}

const BATCH = 500;

/**
 * Puts every sealed value under the current key, while the service runs: a value that changes meanwhile is left to whoever
 * changed it. Can be stopped and run again at any time.
 */
export async function rotateSecrets(pool: pg.Pool, secrets: Secrets): Promise<Rotation[]> {
  const rotations: Rotation[] = [];
  for (const sealed of sealedColumns) rotations.push(await rotateColumn(pool, secrets, sealed));
  return rotations;
}

async function rotateColumn(pool: pg.Pool, secrets: Secrets, sealed: SealedColumn): Promise<Rotation> {
  const rotation: Rotation = { ...sealed, rotated: 0, unreadable: [] };
  let rows: SealedRow[] = [];
  do {
    rows = await nextRows(pool, sealed, rows.at(-1));
    for (const row of rows) await rotateRow(pool, secrets, rotation, row);
  } while (rows.length === BATCH);
  return rotation;
}

async function nextRows(pool: pg.Pool, { table, column }: SealedColumn, after: SealedRow | undefined): Promise<SealedRow[]> {
  const { rows } = await pool.query<SealedRow>(
    `SELECT tenant_id AS "tenantId", id, ${column} AS box FROM ${table}
      WHERE ($1::uuid IS NULL OR (tenant_id, id) > ($1::uuid, $2::text)) ORDER BY tenant_id, id LIMIT ${BATCH}`,
    [after?.tenantId ?? null, after?.id ?? null],
  );
  return rows;
}

async function rotateRow(pool: pg.Pool, secrets: Secrets, rotation: Rotation, { tenantId, id, box }: SealedRow): Promise<void> {
  if (secrets.isCurrent(box)) return;
  const { table, column } = rotation;
  const renewed = resealed(secrets, { table, tenantId, id }, box);
  if (!renewed) {
    rotation.unreadable.push({ tenantId, id });
    return;
  }
  const { rowCount } = await pool.query(`UPDATE ${table} SET ${column} = $1 WHERE tenant_id = $2::uuid AND id = $3 AND ${column} = $4`, [
    renewed,
    tenantId,
    id,
    box,
  ]);
  rotation.rotated += rowCount ?? 0;
}

function resealed(secrets: Secrets, owner: SecretOwner, box: Uint8Array): Uint8Array | null {
  try {
    return secrets.seal(secrets.open(box, owner), owner);
  } catch {
    return null;
  }
}
