import type { Readable } from 'node:stream';

/** What a store knows of an object. */
export interface ObjectInfo {
  key: string;
  /** In bytes. */
  size: number;
  modifiedAt: Date;
  /** Another one whenever the bytes are others: the store's ETag or generation. */
  version: string;
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
  /** In whole milliseconds. */
  latencyMs: number;
  /** Why it failed and what to do; empty when ok. */
  detail: string;
}

export interface PutOptions {
  contentType?: string;
  signal?: AbortSignal;
  /** In bytes, where it is known: a store cuts very large objects accordingly. Not checked. */
  size?: number;
}

/** A request that whoever holds it may send to the store, without credentials, until it expires. */
export interface SignedRequest {
  method: 'GET' | 'PUT';
  url: string;
  /** To be sent exactly so, beside those that any client sends. */
  headers: Record<string, string>;
  expiresAt: Date;
}

export interface SignGetOptions {
  /** In seconds. */
  expiresIn: number;
  /** What the answer's headers shall say. */
  contentType?: string;
  contentDisposition?: string;
}

export interface SignPutOptions {
  /** In seconds. */
  expiresIn: number;
  contentType?: string;
}

/** A part of an unfinished upload, as the store has it. */
export interface PartInfo {
  /** From 1. */
  number: number;
  /** In bytes. */
  size: number;
  /** What `complete` needs to name it. */
  etag: string;
}

/** In bytes. The last part may be smaller than the smallest. */
export interface PartLimits {
  minSize: number;
  maxSize: number;
  maxParts: number;
}

/**
 * An object that arrives in parts, in any order, over any time. Sending a part again replaces it. Nothing can be read
 * before `complete`. An upload that is unknown, completed or aborted is NOT_FOUND to every method but `abort`; where a
 * store only notes parts (azure_blob, gcp_storage) it counts as begun and empty instead.
 */
export interface MultipartUploads {
  readonly limits: PartLimits;
  /** @returns the id of the upload, to be kept beside its key: the store needs both */
  create(key: string, options?: { contentType?: string }): Promise<string>;
  /** Streams a part through this process. @param size of the body, in bytes; another one is refused with UNKNOWN */
  putPart(
    key: string,
    uploadId: string,
    number: number,
    body: Readable,
    options: { size: number; signal?: AbortSignal },
  ): Promise<PartInfo>;
  /**
   * Lets a client send a part itself. UNSUPPORTED where the store cannot be reached by clients (local_fs). The signature
   * covers upload and number, not the bytes: verify the whole. At azure_blob it covers the key alone, so that whoever holds
   * the request can write any part, or all of the object: hence keys that are only staged.
   */
  presignPart(key: string, uploadId: string, number: number, options: { expiresIn: number }): Promise<SignedRequest>;
  /** What has arrived, by number. */
  listParts(key: string, uploadId: string): Promise<PartInfo[]>;
  /** Makes the object of these parts, in this order; create-only, like `put`. */
  complete(key: string, uploadId: string, parts: PartInfo[]): Promise<void>;
  /** Frees what has arrived. Aborting what is not there succeeds. */
  abort(key: string, uploadId: string): Promise<void>;
}

/**
 * The little that Docgate asks of a place that holds bytes. One object is written once and never changed.
 * Keys are relative, "/"-separated, made by Docgate, never by users. Every method rejects with StorageError
 * and nothing else; only reason NOT_FOUND says that an object is missing, every other reason means "unknown".
 */
export interface BlobStore {
  /** Whether clients can reach the store themselves: where not (local_fs), every presign method rejects with UNSUPPORTED. */
  readonly presigns: boolean;
  readonly multipart: MultipartUploads;
  /** Writes a new object; the promise resolves once the bytes are durable. A source that fails, or an aborted
   *  signal, leaves no object; its error is the `cause`. An existing key is refused with ALREADY_EXISTS. */
  put(key: string, body: Readable, options?: PutOptions): Promise<void>;
  /** Opens an object, or one range of it. Destroying the stream frees everything behind it. */
  get(key: string, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Readable>;
  head(key: string): Promise<ObjectInfo>;
  /** Deleting what is not there succeeds. */
  delete(key: string): Promise<void>;
  /**
   * Copies an object within the store, without its bytes passing through this process; create-only, like `put`.
   * @param options.version copies that version or rejects with CHANGED: what was verified is what is copied
   */
  copy(from: string, to: string, options?: { version?: string }): Promise<void>;
  /** All objects whose key starts with the prefix, in no order. Unfinished uploads may show, under keys of their own. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** A link to the bytes that works without credentials. */
  presignGet(key: string, options: SignGetOptions): Promise<SignedRequest>;
  /**
   * Lets a client write an object itself. Whoever holds the request may be able to write again until it expires: sign for
   * a key that is only staged, verify what came, and publish it with `copy` of that version.
   */
  presignPut(key: string, options: SignPutOptions): Promise<SignedRequest>;
  /** Tries everything that Docgate will do, on an object of its own, and cleans up. Never rejects. */
  probe(): Promise<ProbeCheck[]>;
}

/** A store behind a network. */
export interface RemoteStore extends BlobStore {
  /** Closes the connections that are kept for further requests. Those of running requests stay until they end. */
  close(): void;
}
