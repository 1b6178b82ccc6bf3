import type { Readable } from 'node:stream';

/** What a store knows of an object. */
export interface ObjectInfo {
  key: string;
  /** In bytes. */
  size: number;
  modifiedAt: Date;
}

/** A part of an object: first and last byte, both included, counted from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

/** One step of a probe, in plain words: what was tried, whether it went well and how long it took. */
export interface ProbeCheck {
  name: string;
  ok: boolean;
  /** In milliseconds. */
  latencyMs: number;
  /** Why it failed and what to do; empty when ok. */
  detail: string;
}

/**
 * The little that Docgate asks of a place that holds bytes. One object is written once and never changed.
 * Keys are relative, "/"-separated, made by Docgate, never by users. Every method rejects with StorageError
 * and nothing else; only reason NOT_FOUND says that an object is missing, every other reason means "unknown".
 */
export interface BlobStore {
  /** Writes a new object; the promise resolves once the bytes are durable. A source that fails, or an aborted
   *  signal, leaves no object; its error is the `cause`. An existing key is refused with ALREADY_EXISTS. */
  put(key: string, body: Readable, options?: { contentType?: string; signal?: AbortSignal }): Promise<void>;
  /** Opens an object, or one range of it. Destroying the stream frees everything behind it. */
  get(key: string, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Readable>;
  head(key: string): Promise<ObjectInfo>;
  /** Deleting what is not there succeeds. */
  delete(key: string): Promise<void>;
  /** All objects whose key starts with the prefix, in no order. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Tries everything that Docgate will do, on an object of its own, and cleans up. Never rejects. */
  probe(): Promise<ProbeCheck[]>;
}
