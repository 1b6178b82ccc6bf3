import { createHash } from 'node:crypto';

/** An event of the audit log as it is exported: what its digest is taken of, and the digest. */
export interface ChainedEvent {
  /** A JSON array in PostgreSQL's canonical form, as `audit_event_text` makes it. */
  text: string;
  /** SHA-256 of the text's UTF-8, in hexadecimal. */
  hash: string;
}

/** Where an event stands. */
export interface Place {
  tenantId: string;
  subjectId: string;
  seq: number;
}

interface Link extends Place {
  hash: string;
  /** The hash of the event before it. */
  previous: string | null;
}

/** How many of the things that are wrong are told in words. */
const MAX_BREAKS = 100;

/** One line of an export; a newline ends it. */
export const lineOf = ({ hash, text }: ChainedEvent): string => `{"hash": "${hash}", "event": ${text}}\n`;

/** @throws Error when it is no line of an export */
export function readLine(line: string): ChainedEvent {
  const [, hash = '', text = ''] = /^\{"hash": "([0-9a-f]{64})", "event": (\[.*\])\}$/s.exec(line) ?? [];
  linkOf({ hash, text });
  return { hash, text };
}

export function placeOf(event: ChainedEvent): Place {
  const { tenantId, subjectId, seq } = linkOf(event);
  return { tenantId, subjectId, seq };
}

/** From the columns of `audit_event_text`. @throws Error when it has others */
function linkOf({ text, hash }: ChainedEvent): Link {
  const [tenantId, , subjectId, seq, , , , , , , , , previous, ...more] = columnsOf(text);
  const isLink = typeof tenantId === 'string' && typeof subjectId === 'string' && Number.isInteger(seq) && more.length === 0;
  if (!isLink || (typeof previous !== 'string' && previous !== null)) throw new Error('This is no event of an export.');
  return { tenantId, subjectId, seq: Number(seq), hash, previous };
}

function columnsOf(text: string): unknown[] {
  try {
    return JSON.parse(text);
  } catch {
    return [];
  }
}

/** What a check of events came to. */
export interface ChainReport {
  events: number;
  histories: number;
  /** How many things are wrong. */
  wrong: number;
  /** The first of them, in words, in the order of the events. */
  breaks: string[];
}

/** Checks events that come history by history, each from its first event on. */
export class ChainCheck {
  readonly report: ChainReport = { events: 0, histories: 0, wrong: 0, breaks: [] };
  private last: Link | null = null;

  /** Notes what is wrong with the next event. */
  add(event: ChainedEvent): void {
    const link = linkOf(event);
    const before = this.last && isSameHistory(this.last, link) ? this.last : null;
    const wrong = digestOf(event.text) === event.hash ? misplaced(link, before) : 'it was changed: its content does not match its hash';
    if (wrong) this.fault(link, wrong);
    this.report.events += 1;
    if (!before) this.report.histories += 1;
    this.last = link;
  }

  /** Notes what is wrong at an event for another reason. */
  fault({ tenantId, subjectId, seq }: Place, wrong: string): void {
    this.report.wrong += 1;
    if (this.report.wrong <= MAX_BREAKS) this.report.breaks.push(`tenant ${tenantId}, history of ${subjectId}, event ${seq}: ${wrong}`);
  }
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

const isSameHistory = (one: Place, other: Place) => one.tenantId === other.tenantId && one.subjectId === other.subjectId;

/** What is wrong with where an event stands, after the one before it in its history. */
function misplaced(link: Link, before: Link | null): string | null {
  const expected = (before?.seq ?? 0) + 1;
  if (link.seq > expected) return `events ${expected} to ${link.seq - 1} are missing before it`;
  if (link.seq < expected) return `it comes after event ${before?.seq}`;
  return link.previous === (before?.hash ?? null) ? null : 'it does not follow from the event before it';
}
