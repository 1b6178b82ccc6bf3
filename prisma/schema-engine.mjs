#!/usr/bin/env node
// Drop-in replacement for Prisma's native `schema-engine` binary: speaks the same
// JSON-RPC-over-stdio protocol, but runs the engine compiled to WebAssembly
// (npm: @prisma/schema-engine-wasm) over a JS driver adapter. Use it with
//   PRISMA_SCHEMA_ENGINE_BINARY=scripts/schema-engine.mjs prisma migrate dev
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as bg from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import Result from 'pg/lib/result.js';
import { parse as parseUrl, toClientConfig } from 'pg-connection-string';

// The describer selects "char" (OID 18) catalogue columns, which adapter-pg refuses; call them bpchar (1042).
const addFields = Result.prototype.addFields;
Result.prototype.addFields = function (fields) {
  for (const f of fields) if (f.dataTypeID === 18) f.dataTypeID = 1042;
  return addFields.call(this, fields);
};

const argv = process.argv.slice(2);
if (argv.includes('--version')) {
  process.stdout.write('schema-engine-wasm-shim 8.1.0\n');
  process.exit(0);
}
const models = [];
let datasource = {};
let cli = null;
for (let i = 0; i < argv.length; i++) {
  if (argv[i] === '--datamodels') models.push([argv[++i], '']);
  else if (argv[i] === '--datasource') datasource = JSON.parse(argv[++i]);
  else if (argv[i] === '--enabled-preview-features' || argv[i] === '--extension-types') i++;
  else if (argv[i] === 'cli') cli = argv[++i];
}
for (const m of models) m[1] = readFileSync(m[0], 'utf8');

const dbOf = (url) => decodeURIComponent(new URL(url).pathname.slice(1));
async function admin(fn) {
  const u = new URL(datasource.url);
  u.pathname = '/postgres';
  const c = new pg.Client({ connectionString: u.toString() });
  await c.connect();
  try {
    return await fn(c);
  } finally {
    await c.end();
  }
}
async function canConnect() {
  const c = new pg.Client({ connectionString: datasource.url });
  await c.connect();
  await c.end();
}
const fail = (code, message, meta = {}) => {
  const line = (level, fields) => JSON.stringify({ timestamp: new Date().toISOString(), level, fields, target: 'schema_engine::logger' });
  // The CLI drops the first line of stderr and wants the target above.
  process.stderr.write(
    line('INFO', { message: 'schema-engine (wasm)' }) + '\n' + line('ERROR', { message, is_panic: false, error_code: code, meta }) + '\n',
  );
  process.exit(1);
};
if (cli) {
  try {
    if (cli === 'can-connect-to-database') await canConnect();
    else if (cli === 'create-database') {
      const db = dbOf(datasource.url);
      await admin((c) => c.query(`CREATE DATABASE ${pg.escapeIdentifier(db)}`));
    } else if (cli === 'drop-database') {
      const db = dbOf(datasource.url);
      await admin((c) => c.query(`DROP DATABASE ${pg.escapeIdentifier(db)}`));
    } else fail('P0000', `unknown command ${cli}`);
    process.exit(0);
  } catch (e) {
    if (e.code === '3D000') fail('P1003', `Database \`${dbOf(datasource.url)}\` does not exist`, { database_name: dbOf(datasource.url) });
    if (e.code === '42P04') fail('P1009', e.message);
    fail('P1001', `Can't reach database server: ${e.message || e.code}`);
  }
}

const wasmUrl = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm'));
const { instance } = await WebAssembly.instantiate(readFileSync(wasmUrl), { './schema_engine_bg.js': bg });
bg.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();
globalThis.PRISMA_WASM_PANIC_REGISTRY = {
  set_message(m) {
    process.stderr.write(JSON.stringify({ level: 'ERROR', fields: { message: m, is_panic: true } }) + '\n');
  },
};

// A connection string beats every other pg option, so take it apart: adapter-pg's own shadow
// database would otherwise be the main database under another name.
const parts = datasource.url ? toClientConfig(parseUrl(datasource.url)) : {};
const schema = parts.schema;
delete parts.schema;
class Factory extends PrismaPg {
  async connect() {
    return wholeScripts(await super.connect());
  }
  async connectToShadowDb() {
    if (datasource.shadowDatabaseUrl)
      return wholeScripts(await new PrismaPg({ connectionString: datasource.shadowDatabaseUrl }, { schema }).connect());
    const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`;
    await admin((c) => c.query(`CREATE DATABASE ${pg.escapeIdentifier(database)}`));
    const adapter = wholeScripts(await new PrismaPg({ ...parts, database }, { schema }).connect());
    const dispose = adapter.dispose.bind(adapter);
    adapter.dispose = async () => {
      await dispose();
      await admin((c) => c.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`));
    };
    return adapter;
  }
}
// adapter-pg splits a script at every ';', which breaks function bodies and strings. PostgreSQL's
// simple query protocol takes a whole script as it is.
function wholeScripts(adapter) {
  adapter.executeScript = async function (script) {
    if (!script.trim()) return;
    try {
      await this.client.query(script);
    } catch (e) {
      this.onError(e);
    }
  };
  return adapter;
}
const factory = new Factory(parts, { schema });
let enginePromise;
const engine = () =>
  (enginePromise ??= bg.SchemaEngine.new(
    { datamodels: models.length ? models : undefined },
    (log) => process.env.DEBUG && process.stderr.write(String(log) + '\n'),
    bindMigrationAwareSqlAdapterFactory(factory),
  ));

const handlers = {
  async createDatabase() {
    const db = dbOf(datasource.url);
    await admin((c) => c.query(`CREATE DATABASE ${pg.escapeIdentifier(db)}`));
    return { databaseName: db };
  },
  async getDatabaseVersion(p) {
    return (await engine()).version(p);
  },
  async diff(p) {
    const r = await (await engine()).diff(p);
    // The native engine prints through a reverse `print` call; the wasm one returns stdout.
    if (r.stdout != null)
      process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: 'print', method: 'print', params: { content: r.stdout } }) + '\n');
    return r;
  },
};
const rl = createInterface({ input: process.stdin, crlfDelay: Infinity });
let queue = Promise.resolve();
rl.on('line', (line) => {
  const msg = JSON.parse(line);
  if (!msg.method) return; // reply to our `print`
  queue = queue.then(async () => {
    const out = { jsonrpc: '2.0', id: msg.id };
    try {
      const fn =
        handlers[msg.method] ??
        (async (p) => {
          const e = await engine();
          return e[msg.method](p);
        });
      out.result = (await fn(msg.params)) ?? null;
    } catch (e) {
      const is_panic = e instanceof WebAssembly.RuntimeError;
      out.error = {
        code: 4466,
        message: 'An error happened. Check the data field for details.',
        data: { is_panic, message: e.message ?? String(e), error_code: e.code ?? null, meta: e.meta ?? null },
      };
    }
    process.stdout.write(JSON.stringify(out) + '\n');
  });
});
rl.on('close', () => queue.finally(() => process.exit(0)));
