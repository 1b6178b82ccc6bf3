/**
 * What Docgate is measured against: the least that a server can do for the same answers. node:http, one check of the
 * bearer token, one prepared statement in which PostgreSQL builds the JSON; no schema, no scopes, no limits, no logs.
 */
import { createHash, createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import jwt from 'jsonwebtoken';
import pg from 'pg';

const { DATABASE_URL, JWT_SECRET = '', PORT, BLOBS = '' } = process.env;
const secret = createSecretKey(Buffer.from(JWT_SECRET));
const pool = new pg.Pool({
  connectionString: DATABASE_URL,
  max: 16,
  onConnect: async (client) => void (await client.query(`SET TIME ZONE 'UTC'`)),
});

const iso = (column: string) => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const files = (fields: string) => `(SELECT coalesce(json_agg(json_build_object(${fields}) ORDER BY f.id), '[]') FROM files f
  WHERE f.tenant_id = $1 AND f.document_id = d.id AND f.state IN ('READY', 'QUARANTINED'))`;
const shortFiles = files(`'id', f.id, 'name', f.name, 'size', f.size`);

const statements = {
  W1: `SELECT json_build_object('id', d.id, 'name', d.name, 'status', d.status, 'createdAt', ${iso('d.created_at')},
      'category', (SELECT json_build_object('name', c.name) FROM categories c WHERE c.tenant_id = $1 AND c.id = d.category_id),
      'files', ${shortFiles})::text AS json, ${iso('d.created_at')} AS at, d.id
    FROM documents d WHERE d.tenant_id = $1 AND d.deleted_at IS NULL ORDER BY d.created_at DESC, d.id DESC LIMIT $2 + 1`,
  W2: `SELECT json_build_object('id', d.id, 'name', d.name, 'description', d.description, 'status', d.status, 'tags', d.tags,
      'createdAt', ${iso('d.created_at')}, 'updatedAt', ${iso('d.updated_at')}, 'version', d.version,
      'category', (SELECT json_build_object('id', c.id, 'name', c.name) FROM categories c WHERE c.tenant_id = $1 AND c.id = d.category_id),
      'storage', (SELECT json_build_object('id', s.id, 'name', s.name) FROM storages s WHERE s.tenant_id = $1 AND s.id = d.storage_id),
      'files', ${files(`'id', f.id, 'name', f.name, 'contentType', f.content_type, 'size', f.size`)},
      'shares', json_build_object('nodes', (SELECT coalesce(json_agg(json_build_object('id', h.id, 'label', h.label,
        'expiresAt', ${iso('h.expires_at')}, 'downloadCount', h.download_count) ORDER BY h.created_at DESC, h.id DESC), '[]')
        FROM (SELECT * FROM shares h WHERE h.tenant_id = $1 AND h.document_id = d.id ORDER BY h.created_at DESC, h.id DESC LIMIT 20) h)))::text AS json
    FROM documents d WHERE d.tenant_id = $1 AND d.id = $2 AND d.deleted_at IS NULL`,
  W3: `SELECT json_build_object('id', d.id, 'name', d.name, 'status', d.status, 'tags', d.tags, 'createdAt', ${iso('d.created_at')})::text AS json,
      ${iso('d.created_at')} AS at, d.id
    FROM documents d WHERE d.tenant_id = $1 AND d.deleted_at IS NULL AND d.status = 'APPROVED' AND d.tags @> '{kyc}'
     AND (d.created_at, d.id) < ($2::timestamptz, $3) ORDER BY d.created_at DESC, d.id DESC LIMIT 21`,
  W4: `SELECT json_build_object('id', c.id, 'name', c.name, 'documents', json_build_object('nodes', (
      SELECT coalesce(json_agg(json_build_object('id', d.id, 'name', d.name, 'createdAt', ${iso('d.created_at')}, 'files', ${shortFiles})
        ORDER BY d.created_at DESC, d.id DESC), '[]')
      FROM (SELECT * FROM documents d WHERE d.tenant_id = $1 AND d.category_id = c.id AND d.deleted_at IS NULL
             ORDER BY d.created_at DESC, d.id DESC LIMIT 10) d)))::text AS json
    FROM categories c WHERE c.tenant_id = $1 AND c.parent_id IS NULL ORDER BY c.name, c.id LIMIT 10`,
  lock: `SELECT status FROM documents WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE`,
  share: `INSERT INTO shares (tenant_id, id, created_by, created_at, updated_at, document_id, token_hash, token, expires_at, label)
    VALUES ($1, $2, $3, now(), now(), $4, $5, $6, $7, $8)
    RETURNING json_build_object('id', id, 'expiresAt', ${iso('expires_at')}, 'label', label, 'allowDownload', allow_download)::text AS json`,
  event: `INSERT INTO audit_events (tenant_id, id, subject_id, action, entity_type, entity_id, actor_id, after, request_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())`,
  file: `SELECT object_key, size, content_type FROM files WHERE tenant_id = $1 AND id = $2 AND state = 'READY'`,
  upload: `INSERT INTO files (tenant_id, id, created_by, created_at, updated_at, document_id, storage_id, name, content_type, declared_type, size, sha256, state, object_key)
    SELECT $1, $2, $3, now(), now(), id, storage_id, $5, 'application/pdf', 'application/pdf', $6, $7, 'READY', $2 FROM documents WHERE tenant_id = $1 AND id = $4`,
} as const;

interface Row {
  json: string;
  at: string;
  id: string;
}
const run = (name: keyof typeof statements, values: unknown[], client: pg.Pool | pg.PoolClient = pool) =>
  client.query<Row>({ name, text: statements[name], values });

interface Claims {
  sub: string;
  tenant_id: string;
}
interface Input {
  documentId: string;
  expiresAt: string;
  label: string;
}
type Variables = { first: number; id: string; after: string; input: Input };

function page(rows: Row[], first: number): string {
  const more = rows.length > first;
  if (more) rows.pop();
  const last = rows.at(-1);
  const cursor = last ? JSON.stringify(Buffer.from(JSON.stringify(['createdAt', last.at, last.id])).toString('base64url')) : 'null';
  return `{"data":{"documents":{"nodes":[${rows.map((row) => row.json).join(',')}],"pageInfo":{"hasNextPage":${more},"endCursor":${cursor}}}}}`;
}

const answers: Record<string, (claims: Claims, variables: Variables) => Promise<string>> = {
  W1: async ({ tenant_id }, { first }) => page((await run('W1', [tenant_id, first])).rows, first),
  W2: async ({ tenant_id }, { id }) => `{"data":{"document":${(await run('W2', [tenant_id, id])).rows[0]?.json ?? 'null'}}}`,
  W3: async ({ tenant_id }, { after }) => {
    const [, at, id] = JSON.parse(Buffer.from(after, 'base64url').toString()) as string[];
    return page((await run('W3', [tenant_id, at, id])).rows, 20);
  },
  W4: async ({ tenant_id }) =>
    `{"data":{"categories":{"nodes":[${(await run('W4', [tenant_id])).rows.map((row) => row.json).join(',')}]}}}`,
  W5: async (claims, { input }) => `{"data":{"shareDocument":${await inTransaction((client) => share(client, claims, input))}}}`,
};

async function share(client: pg.PoolClient, { tenant_id, sub }: Claims, input: Input): Promise<string> {
  const { rowCount } = await run('lock', [tenant_id, input.documentId], client);
  if (!rowCount) throw new Error('no such document');
  const id = randomUUID();
  const token = randomUUID();
  const hash = createHash('sha256').update(token).digest();
  const row = await run('share', [tenant_id, id, sub, input.documentId, hash, randomBytes(69), input.expiresAt, input.label], client);
  await event(client, tenant_id, sub, input.documentId, 'share.created', 'Share', id, input);
  return row.rows[0]?.json ?? 'null';
}

const event = (
  client: pg.PoolClient,
  tenantId: string,
  actor: string,
  subject: string,
  action: string,
  type: string,
  id: string,
  after: object,
) => run('event', [tenantId, randomUUID(), subject, action, type, id, actor, JSON.stringify(after), randomUUID()], client);

async function inTransaction<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

async function download({ tenant_id }: Claims, id: string, res: ServerResponse): Promise<void> {
  const { rows } = await pool.query<{ object_key: string; size: string; content_type: string }>({
    name: 'file',
    text: statements.file,
    values: [tenant_id, id],
  });
  const [row] = rows;
  if (!row) throw new Error('no such file');
  res.writeHead(200, { 'content-type': row.content_type, 'content-length': row.size });
  await pipeline(createReadStream(`${BLOBS}/${row.object_key}`), res);
}

async function upload({ tenant_id, sub }: Claims, req: IncomingMessage): Promise<string> {
  const id = randomUUID();
  const hash = createHash('sha256');
  let size = 0;
  let variables: { id?: string } = {};
  let name = '';
  // A method-less header object is all that busboy asks for; node's type is wider.
  const form = new Busboy({ headers: req.headers as { 'content-type': string } });
  let stored: Promise<void> = Promise.resolve();
  form.on('field', (field, value) => {
    if (field === 'operations') ({ variables } = JSON.parse(value) as { variables: { id: string } });
  });
  form.on('file', (_field, stream, filename) => {
    name = filename;
    const digest = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        size += chunk.length;
        done(null, chunk);
      },
    });
    stored = pipeline(stream, digest, createWriteStream(`${BLOBS}/${id}`));
  });
  await pipeline(req, form);
  await stored;
  const handle = await open(`${BLOBS}/${id}`, 'r');
  await handle.sync();
  await handle.close();
  const sha256 = hash.digest('hex');
  await inTransaction(async (client) => {
    await run('upload', [tenant_id, id, sub, variables.id, name, size, sha256], client);
    await event(client, tenant_id, sub, variables.id ?? '', 'file.uploaded', 'File', id, { name, size, sha256 });
  });
  return JSON.stringify({ data: { uploadFiles: { files: [{ id, size, sha256 }] } } });
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req.setEncoding('utf8')) text += chunk;
  return text;
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const token = req.headers.authorization?.slice('Bearer '.length) ?? '';
  const claims = jwt.verify(token, secret, { algorithms: ['HS256'], issuer: 'docgate', audience: 'docgate' }) as unknown as Claims;
  const [, kind = '', id = ''] = req.url?.split('/') ?? [];
  if (kind === 'files') return download(claims, id, res);
  const work = answers[kind];
  const body = work ? await work(claims, (JSON.parse(await bodyOf(req)) as { variables: Variables }).variables) : await upload(claims, req);
  res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }).end(body);
}

const server = createServer((req, res) => {
  answer(req, res).catch((error: unknown) => {
    // At the end of a round the client hangs up in the middle of a download.
    if (res.headersSent) return void res.destroy();
    process.stderr.write(`${String(error)}\n`);
    res.writeHead(500).end();
  });
});
server.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
