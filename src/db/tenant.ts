import { Prisma, type PrismaClient } from './generated/client.js';
import type { Reader } from './read.js';

/** A Prisma client, or the one of a running transaction. */
export type AnyClient = PrismaClient | Prisma.TransactionClient;

/** The only operations that reach a tenant's rows. Each takes the tenant in its filter or its data; no other exists. */
type Operation = 'findMany' | 'findFirst' | 'count' | 'create' | 'updateMany' | 'updateManyAndReturn' | 'deleteMany';

type Args = { where?: object; data?: object; cursor?: unknown } | undefined;
type Delegate = Record<Operation, (args: never) => unknown>;

function scope<D extends Delegate>(delegate: D | undefined, columns: object, tenantId: string): Pick<D, Operation> {
  if (!delegate) throw new Error('this transaction is for hand-written statements');
  const filtered = (args: Args) => ({ ...withoutCursor(args), where: { ...args?.where, tenantId } });
  const owned = (args: Args) => ({ ...args, data: { ...onlyColumns(args?.data, columns), tenantId } });
  const changed = (args: Args) => ({ ...filtered(args), data: staying(onlyColumns(args?.data, columns)) });
  const call = (operation: Operation, shape: (args: Args) => object) => (args: Args) =>
    // The delegate's own generic signature is restored by the return type below.
    (delegate[operation] as (args: object) => unknown)(shape(args));
  return {
    findMany: call('findMany', filtered),
    findFirst: call('findFirst', filtered),
    count: call('count', filtered),
    create: call('create', owned),
    updateMany: call('updateMany', changed),
    updateManyAndReturn: call('updateManyAndReturn', changed),
    deleteMany: call('deleteMany', filtered),
  } as unknown as Pick<D, Operation>; // The same functions with the same signatures, narrowed to one tenant.
}

/** Writes through a relation would reach rows by another key than the tenant's. */
function onlyColumns(data: object | undefined, columns: object): object {
  const other = Object.keys(data ?? {}).find((field) => !(field in columns));
  if (other !== undefined) throw new Error(`${other} is no column: write each row by itself`);
  return { ...data };
}

function staying(data: object): object {
  if ('tenantId' in data) throw new Error('a row stays with its tenant');
  return data;
}

/** Prisma looks a cursor's row up by its key alone. Lists go through paging.ts. */
function withoutCursor(args: Args): Args {
  if (args?.cursor !== undefined) throw new Error('a cursor may lie in another tenant');
  return args;
}

/**
 * The database as one tenant sees it. There is no operation on it that reads or writes another tenant's row;
 * nested reads stay inside because every foreign key carries the tenant, and there are no nested writes.
 */
export class TenantDb {
  readonly #client: AnyClient;
  readonly #reader: Reader | null;

  constructor(
    client: AnyClient,
    readonly tenantId: string,
    /** Null inside a transaction: what is read there has to come over its connection. */
    reader: Reader | null,
  ) {
    this.#client = client;
    this.#reader = reader;
  }

  get inTransaction(): boolean {
    return this.#reader === null;
  }

  get storage() {
    return scope(this.#client.storage, Prisma.StorageScalarFieldEnum, this.tenantId);
  }
  get category() {
    return scope(this.#client.category, Prisma.CategoryScalarFieldEnum, this.tenantId);
  }
  get document() {
    return scope(this.#client.document, Prisma.DocumentScalarFieldEnum, this.tenantId);
  }
  get file() {
    return scope(this.#client.file, Prisma.FileScalarFieldEnum, this.tenantId);
  }
  get preview() {
    return scope(this.#client.preview, Prisma.PreviewScalarFieldEnum, this.tenantId);
  }
  get rendition() {
    return scope(this.#client.rendition, Prisma.RenditionScalarFieldEnum, this.tenantId);
  }
  get share() {
    return scope(this.#client.share, Prisma.ShareScalarFieldEnum, this.tenantId);
  }
  get storageMove() {
    return scope(this.#client.storageMove, Prisma.StorageMoveScalarFieldEnum, this.tenantId);
  }
  get moveDocument() {
    return scope(this.#client.moveDocument, Prisma.MoveDocumentScalarFieldEnum, this.tenantId);
  }
  get objectRemoval() {
    return scope(this.#client.objectRemoval, Prisma.ObjectRemovalScalarFieldEnum, this.tenantId);
  }
  get shareAccess() {
    return scope(this.#client.shareAccess, Prisma.ShareAccessScalarFieldEnum, this.tenantId);
  }
  get stagedUpload() {
    return scope(this.#client.stagedUpload, Prisma.StagedUploadScalarFieldEnum, this.tenantId);
  }
  get auditEvent() {
    return scope(this.#client.auditEvent, Prisma.AuditEventScalarFieldEnum, this.tenantId);
  }

  /** `tenant_id = …` for a hand-written statement on the table of that alias. */
  owns(alias: string): Prisma.Sql {
    return Prisma.sql`${Prisma.raw(alias)}.tenant_id = ${this.tenantId}::uuid`;
  }

  /** Runs a hand-written SELECT and returns its rows. Throws when the statement does not name the tenant. */
  query<Row>(statement: Prisma.Sql): Promise<Row[]> {
    const checked = this.checked(statement);
    return this.#reader ? this.#reader.rows<Row>(checked) : this.#client.$queryRaw<Row[]>(checked);
  }

  /** The same outside of transactions, each row as the texts of its columns. */
  texts(statement: { text: string; values: unknown[] }): Promise<(string | null)[][]> {
    if (!this.#reader) throw new Error('texts are read outside of transactions');
    const { text, values } = this.checked(statement);
    return this.#reader.texts(text, values);
  }

  /** Runs a hand-written command and returns the number of rows. Throws when it does not name the tenant. */
  execute(statement: Prisma.Sql): Promise<number> {
    return this.#client.$executeRaw(this.checked(statement));
  }

  private checked<Statement extends { values: unknown[] }>(statement: Statement): Statement {
    if (!statement.values.includes(this.tenantId)) throw new Error('a statement without its tenant');
    return statement;
  }
}
