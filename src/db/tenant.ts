import { Prisma, type PrismaClient } from './generated/client.js';

/** A Prisma client, or the one of a running transaction. */
export type AnyClient = PrismaClient | Prisma.TransactionClient;

/** The only operations that reach a tenant's rows. Each takes the tenant in its filter or its data; no other exists. */
type Operation = 'findMany' | 'findFirst' | 'count' | 'create' | 'updateMany' | 'updateManyAndReturn' | 'deleteMany';

type Args = { where?: object; data?: object } | undefined;
type Delegate = Record<Operation, (args: never) => unknown>;

function scope<D extends Delegate>(delegate: D, tenantId: string): Pick<D, Operation> {
  const filtered = (args: Args) => ({ ...args, where: { ...args?.where, tenantId } });
  const owned = (args: Args) => ({ ...args, data: { ...args?.data, tenantId } });
  const call = (operation: Operation, shape: (args: Args) => object) => (args: Args) =>
    // The delegate's own generic signature is restored by the return type below.
    (delegate[operation] as (args: object) => unknown)(shape(args));
  return {
    findMany: call('findMany', filtered),
    findFirst: call('findFirst', filtered),
    count: call('count', filtered),
    create: call('create', owned),
    updateMany: call('updateMany', filtered),
    updateManyAndReturn: call('updateManyAndReturn', filtered),
    deleteMany: call('deleteMany', filtered),
  } as unknown as Pick<D, Operation>; // The same functions with the same signatures, narrowed to one tenant.
}

/**
 * The database as one tenant sees it. There is no operation on it that reads or writes another tenant's row;
 * nested writes and reads stay inside because every foreign key carries the tenant.
 */
export class TenantDb {
  constructor(
    readonly client: AnyClient,
    readonly tenantId: string,
    readonly inTransaction = false,
  ) {}

  get storage() {
    return scope(this.client.storage, this.tenantId);
  }
  get category() {
    return scope(this.client.category, this.tenantId);
  }
  get document() {
    return scope(this.client.document, this.tenantId);
  }
  get file() {
    return scope(this.client.file, this.tenantId);
  }
  get share() {
    return scope(this.client.share, this.tenantId);
  }
  get auditEvent() {
    return scope(this.client.auditEvent, this.tenantId);
  }

  /** `tenant_id = …` for a hand-written statement on the table of that alias. */
  owns(alias: string): Prisma.Sql {
    return Prisma.sql`${Prisma.raw(alias)}.tenant_id = ${this.tenantId}::uuid`;
  }

  /** Runs a hand-written SELECT and returns its rows. Throws when the statement does not name the tenant. */
  query<Row>(statement: Prisma.Sql): Promise<Row[]> {
    return this.client.$queryRaw<Row[]>(this.checked(statement));
  }

  /** Runs a hand-written command and returns the number of rows. Throws when it does not name the tenant. */
  execute(statement: Prisma.Sql): Promise<number> {
    return this.client.$executeRaw(this.checked(statement));
  }

  private checked(statement: Prisma.Sql): Prisma.Sql {
    if (!statement.values.includes(this.tenantId)) throw new Error('a statement without its tenant');
    return statement;
  }
}
