import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ChainCheck, type ChainedEvent, type ChainReport, lineOf, placeOf, readLine } from './audit/audit.chain.js';
import { exportEvents, missingEvents } from './audit/audit.export.js';
import { type Database, openDatabase } from './db/client.js';
import { readSettings } from './env.js';
import { createLogger } from './log.js';

/** Exit codes: 0 all in order, 1 something is wrong with the events, 2 it could not be told. */
const usage = `npm run -s audit-log -- export         writes all events of all tenants to standard output, one JSON object a line
npm run -s audit-log -- verify         checks the events in the database
npm run -s audit-log -- verify FILE    checks an export; needs no database
npm run -s audit-log -- compare FILE   checks an export, and that the database still has all of its events
`;

/** Only the answer goes to standard output. */
async function withDatabase<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const settings = readSettings();
  const database = await openDatabase(settings, createLogger(settings.logLevel, process.stderr));
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

async function* eventsIn(path: string): AsyncGenerator<ChainedEvent> {
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    try {
      yield readLine(line);
    } catch (cause) {
      throw new Error(`Line ${number} of ${path} is no line of an export.`, { cause });
    }
  }
}

/** Node's readline ends lines at U+2028 too, which a name may contain. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

async function* checked(events: AsyncIterable<ChainedEvent>, check: ChainCheck): AsyncGenerator<ChainedEvent> {
  for await (const event of events) {
    check.add(event);
    yield event;
  }
}

async function verify(events: AsyncIterable<ChainedEvent>): Promise<ChainReport> {
  const check = new ChainCheck();
  for await (const event of events) check.add(event);
  return check.report;
}

async function compare({ pool }: Database, path: string): Promise<ChainReport> {
  const check = new ChainCheck();
  for await (const event of missingEvents(pool, checked(eventsIn(path), check))) {
    check.fault(placeOf(event), 'the database does not have it, or has another in its place');
  }
  return check.report;
}

async function writeEvents({ pool }: Database): Promise<boolean> {
  await pipeline(Readable.from(exportEvents(pool)).map(lineOf), process.stdout, { end: false });
  return true;
}

/** @returns whether nothing is wrong */
function tell({ events, histories, wrong, breaks }: ChainReport): boolean {
  for (const text of breaks) process.stdout.write(`${text}\n`);
  process.stdout.write(`${events} events in ${histories} histories: ${wrong === 0 ? 'all in order' : `${wrong} wrong`}\n`);
  return wrong === 0;
}

/** @returns whether nothing is wrong with the events; null when that is no command */
async function run(command: string | undefined, path: string | undefined): Promise<boolean | null> {
  if (command === 'export' && path === undefined) return withDatabase(writeEvents);
  if (command === 'verify' && path === undefined) return tell(await withDatabase(({ pool }) => verify(exportEvents(pool))));
  if (command === 'verify' && path !== undefined) return tell(await verify(eventsIn(path)));
  if (command === 'compare' && path !== undefined) return tell(await withDatabase((database) => compare(database, path)));
  process.stderr.write(usage);
  return null;
}

try {
  const [command, path] = process.argv.slice(2);
  const fine = await run(command, path);
  process.exitCode = fine === null ? 2 : fine ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
