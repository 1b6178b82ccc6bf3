import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SettingsError } from '../env.js';
import { DomainError } from '../errors.js';

/** The operations that a server answers, when it answers no others. */
export interface TrustedDocuments {
  byHash: ReadonlyMap<string, string>;
  texts: ReadonlySet<string>;
}

/** What of a request says which document it means. */
export interface DocumentParams {
  query?: unknown;
  /** `sha256:<hex>`, as the GraphQL over HTTP specification has it, or the digits alone. */
  documentId?: unknown;
  /** Apollo's way: `{ persistedQuery: { version: 1, sha256Hash } }`. */
  extensions?: unknown;
}

const manifest = z.record(z.string(), z.string());
const persisted = z.object({ persistedQuery: z.object({ version: z.literal(1), sha256Hash: z.string() }) });

/**
 * Reads a manifest: JSON with the texts of operations by their SHA-256, as GraphQL Code Generator writes it.
 * @throws SettingsError when it is no manifest, or a text is not what its digest says
 */
export function readTrustedDocuments(path: string): TrustedDocuments {
  const byHash = new Map<string, string>();
  for (const [id, text] of Object.entries(parseManifest(path))) {
    const hash = sha256(text);
    if (hash !== digits(id)) throw new SettingsError([`TRUSTED_DOCUMENTS: ${id} is not the SHA-256 of its text. Write the manifest anew.`]);
    byHash.set(hash, text);
  }
  return { byHash, texts: new Set(byHash.values()) };
}

function parseManifest(path: string): Record<string, string> {
  try {
    return manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new SettingsError([
      `TRUSTED_DOCUMENTS: ${path} is no manifest of operations (${cause instanceof Error ? cause.message : cause})`,
    ]);
  }
}

/**
 * The text of the document that a request means; what it sends as `query` when it names none.
 *
 * @param trusted null: every document is answered
 * @throws DomainError DOCUMENT_NOT_TRUSTED, or PERSISTED_QUERY_NOT_FOUND when the text has to be sent as well
 */
export function documentText({ query, documentId, extensions }: DocumentParams, trusted: TrustedDocuments | null): unknown {
  const hash = hashOf(documentId, extensions);
  if (trusted) return trustedText(query, hash, trusted);
  if (hash === null) return query;
  if (query == null) throw notFound();
  if (typeof query !== 'string' || sha256(query) !== hash) throw mismatch();
  return query;
}

function trustedText(query: unknown, hash: string | null, { byHash, texts }: TrustedDocuments): string {
  const text = hash === null ? query : byHash.get(hash);
  if (typeof text !== 'string' || !texts.has(text)) throw notTrusted();
  if (query != null && query !== text) throw mismatch();
  return text;
}

function hashOf(documentId: unknown, extensions: unknown): string | null {
  const parsed = persisted.safeParse(extensions);
  const apollo = parsed.success ? parsed.data.persistedQuery.sha256Hash : null;
  if (documentId == null) return apollo === null ? null : digits(apollo);
  if (typeof documentId !== 'string' || apollo !== null) throw new DomainError('BAD_REQUEST', 'Name the document once, by its SHA-256.');
  return digits(documentId);
}

const digits = (id: string) => id.replace(/^sha256:/, '').toLowerCase();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const notTrusted = () =>
  new DomainError(
    'DOCUMENT_NOT_TRUSTED',
    'This server answers only the operations of its manifest. Add this one to it, or send one of them.',
  );
const mismatch = () => new DomainError('BAD_REQUEST', 'The query is not the one that the SHA-256 names. Send either, or both of the same.');
/** Apollo's clients know this text, and send the document with the next request. */
const notFound = () => new DomainError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
