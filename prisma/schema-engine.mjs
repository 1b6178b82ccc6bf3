#!/usr/bin/env node
// Stands in for Prisma's native `schema-engine`, which is a download: speaks the same protocol, JSON-RPC over
// stdin and stdout, with the engine in WebAssembly from npm over a JavaScript driver. prisma.config.ts names it
// in PRISMA_SCHEMA_ENGINE_BINARY.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as wasmBindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { parse as parseUrl, toClientConfig } from 'pg-connection-string';

/** Type ids in PostgreSQL's catalogue. */
const CHAR = 18;
const TEXT = 25;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    version: { type: 'boolean' },
    datamodels: { type: 'string', multiple: true, default: [] },
    datasource: { type: 'string', default: '{}' },
    'enabled-preview-features': { type: 'string' },
    'extension-types': { type: 'string' },
  },
});
const datasource = JSON.parse(options.datasource);

if (options.version) process.stdout.write('schema-engine-wasm 8.1.0\n');
else if (positionals[0] === 'cli') await runCommand(positionals[1]);
else serve();

// --- What the engine does as a command ---

async function runCommand(name) {
  const commands = { 'can-connect-to-database': connectOnce, 'create-database': createDatabase, 'drop-database': dropDatabase };
  try {
    await commands[name]();
  } catch (err) {
    reportFailure(...prismaError(err));
    process.exitCode = 1;
  }
}

function prismaError(err) {
  const name = databaseName();
  if (err.code === '3D000') return ['P1003', `Database \`${name}\` does not exist`, { database_name: name }];
  if (err.code === '42P04') return ['P1009', err.message, { database_name: name }];
  if (err.code === '28P01') return ['P1000', err.message, { database_user: new URL(datasource.url).username }];
  return ['P1001', `Can't reach database server: ${err.message || err.code}`, {}];
}

function reportFailure(error_code, message, meta) {
  const line = (level, fields) =>
    `${JSON.stringify({ timestamp: new Date().toISOString(), level, fields, target: 'schema_engine::logger' })}\n`;
  // The command line drops the first line, and reads only those with that target.
  process.stderr.write(line('INFO', { message: 'schema-engine (wasm)' }));
  process.stderr.write(line('ERROR', { message, is_panic: false, error_code, meta }));
}

function databaseName() {
  return decodeURIComponent(new URL(datasource.url).pathname.slice(1));
}

async function connectOnce() {
  await query(datasource.url, 'SELECT 1');
}

async function createDatabase(name = databaseName()) {
  await administer(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  return { databaseName: name };
}

async function dropDatabase(name = databaseName()) {
  await administer(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

async function administer(sql) {
  const url = new URL(datasource.url);
  url.pathname = '/postgres';
  await query(url.href, sql);
}

async function query(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

// --- What it does as a server ---

/**
 * Answers one request after the other until stdin ends. The engine connects when it starts, so that too may fail a
 * request. When it panics, nothing settles the promise of the call: the error surfaces as an uncaught exception, and
 * without an answer Prisma's command line would end in apparent success.
 */
function serve() {
  const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  let starting;
  const call = async (method, params) => {
    starting ??= startEngine();
    return (await starting)[method](params);
  };
  const handlers = {
    createDatabase: () => createDatabase(),
    getDatabaseVersion: (params) => call('version', params),
    async diff(params) {
      const result = await call('diff', params);
      // The native engine prints through a request of its own; this one returns what to print.
      if (result.stdout != null) send({ id: 'print', method: 'print', params: { content: result.stdout } });
      return result;
    },
    evaluateDataLoss: async (params) => dataLoss(await nextMigration(call, params)),
    createMigration: async (params) => migration(await nextMigration(call, params), params),
  };
  const panicked = new Promise((_, reject) => process.on('uncaughtException', reject));
  const answer = async ({ id, method, params }) => {
    try {
      const answered = handlers[method]?.(params) ?? call(method, params);
      const result = await Promise.race([answered, panicked]);
      send({ id, result: result ?? null });
    } catch (err) {
      send({ id, error: rpcError(err) });
    }
  };
  let last = Promise.resolve();
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  lines.on('line', (line) => {
    const message = JSON.parse(line);
    // Without a method it is the reply to our own request to print.
    if (message.method) last = last.then(() => answer(message));
  });
  lines.on('close', () => last.finally(() => process.exit()));
}

/**
 * The script from the migrations to the schema, null when there is nothing to do. By the engine's diff: where it
 * creates a migration itself it does not see partial indexes, and fails after it has just applied another one.
 */
async function nextMigration(call, { migrationsList, schema, filters }) {
  const from = { tag: 'migrations', ...migrationsList };
  const to = { tag: 'schemaDatamodel', files: schema.files };
  const { exitCode, stdout } = await call('diff', { from, to, script: true, exitCode: true, shadowDatabaseUrl: null, filters });
  return exitCode === 2 ? stdout : null;
}

function dataLoss(script) {
  const drops = script?.match(/^.*\bDROP (?:TABLE|COLUMN|TYPE)\b.*$/gm) ?? [];
  const warnings = drops.map((line, stepIndex) => ({ stepIndex, message: `This loses what is stored there: ${line.trim()}` }));
  return { migrationSteps: script === null ? 0 : 1, warnings, unexecutableSteps: [] };
}

function migration(script, { draft, migrationName }) {
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  return {
    connectorType: 'postgresql',
    generatedMigrationName: `${time}_${migrationName}`,
    migrationScript: script ?? (draft ? '-- This is an empty migration.' : null),
    extension: 'sql',
  };
}

let panicMessage = null;

function rpcError(err) {
  const message = panicMessage ?? err.message ?? String(err);
  // Never is_panic: Prisma would want to report it, with questions, to its makers.
  const data = { is_panic: false, message, error_code: err.code ?? null, meta: err.meta ?? null };
  return { code: 4466, message: 'An error happened. Check the data field for details.', data };
}

async function startEngine() {
  const wasm = readFileSync(new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm')));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': wasmBindings });
  wasmBindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  globalThis.PRISMA_WASM_PANIC_REGISTRY = {
    set_message(message) {
      panicMessage = message;
    },
  };
  const datamodels = options.datamodels.map((path) => [path, readFileSync(path, 'utf8')]);
  const log = (line) => process.env.DEBUG && process.stderr.write(`${line}\n`);
  return wasmBindings.SchemaEngine.new(
    { datamodels: datamodels.length > 0 ? datamodels : undefined },
    log,
    bindMigrationAwareSqlAdapterFactory(adapterFactory()),
  );
}

// --- The driver ---

function adapterFactory() {
  // Taken apart, as a connection string wins over every other option: over the name of the shadow database too.
  const { schema, ...config } = datasource.url ? toClientConfig(parseUrl(datasource.url)) : {};
  const connect = async (to) => suitEngine(await new PrismaPg(to, { schema }).connect());
  const connectToShadow = async () => {
    const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`;
    await createDatabase(database);
    const adapter = await connect({ ...config, database });
    const dispose = adapter.dispose.bind(adapter);
    adapter.dispose = () => dispose().then(() => dropDatabase(database));
    return adapter;
  };
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connect(config),
    connectToShadowDb: () =>
      datasource.shadowDatabaseUrl ? connect({ connectionString: datasource.shadowDatabaseUrl }) : connectToShadow(),
  };
}

function suitEngine(adapter) {
  const { queryRaw, performIO } = adapter;
  // The adapter refuses the type "char" (18) of catalogue columns; the engine wants it as a character.
  adapter.queryRaw = async (query) => {
    let characters = [];
    const reader = Object.create(adapter);
    reader.performIO = async (given) => {
      const result = await performIO.call(adapter, given);
      characters = result.fields.map((field) => field.dataTypeID === CHAR);
      const fields = result.fields.map((field) => (field.dataTypeID === CHAR ? { ...field, dataTypeID: TEXT } : field));
      return { rows: result.rows, fields };
    };
    const result = await queryRaw.call(reader, query);
    const columnTypes = result.columnTypes.map((type, i) => (characters[i] ? ColumnTypeEnum.Character : type));
    return { ...result, columnTypes };
  };
  // The adapter splits scripts at every semicolon, also in strings and function bodies; the server takes them whole.
  adapter.executeScript = async (script) => {
    if (!script.trim()) return;
    await adapter
      .underlyingDriver()
      .query(script)
      .catch((err) => adapter.onError(err));
  };
  return adapter;
}
