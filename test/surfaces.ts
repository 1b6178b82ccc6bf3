import { graphqlSurface } from './surface.graphql.js';
import { restSurface } from './surface.rest.js';
import type { Actor, World } from './world.js';

/** How an act ended, whichever door it went through. Fields are the wire's names of the inputs that were wrong. */
export type Outcome<Value = null> = { value: Value } | { code: string; fields?: string[] };

/** Whose columns those of both doors are, in GraphQL's names; times as JavaScript writes them. */
interface Audited {
  id: string;
  createdBy: string;
  updatedBy: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface StorageValue extends Audited {
  name: string;
  provider: string;
  bucket: string;
  config: object;
  credentials: object;
  managed: boolean;
}

export interface CategoryValue extends Audited {
  name: string;
  description: string;
  parentId: string | null;
}

export interface FileValue {
  id: string;
  name: string;
  contentType: string;
  size: number;
  sha256: string;
  createdAt: string;
  createdBy: string;
}

/** As a command answers it at both doors: files take `documents:read`, which whoever changes a document need not have. */
export interface ChangedDocument extends Audited {
  name: string;
  description: string;
  categoryId: string | null;
  storageId: string;
  tags: string[];
  metadata: object;
  status: 'PENDING' | 'APPROVED' | 'REJECTED' | 'INACTIVE';
  rejectionReason: string | null;
  reviewedBy: string | null;
  reviewedAt: string | null;
}

export interface DocumentValue extends ChangedDocument {
  files: FileValue[];
}

export interface ShareValue extends Audited {
  documentId: string;
  token: string;
  expiresAt: string;
  label: string;
  allowDownload: boolean;
  maxDownloads: number | null;
  downloadCount: number;
  openCount: number;
  hasPassword: boolean;
  notBefore: string | null;
  watermark: string;
  /** Ids; none: all. */
  files: string[];
}

export interface PreviewValue {
  document: { name: string; description: string; status: string; createdAt: string };
  files: { id: string; name: string; contentType: string; size: number; downloadUrl: string | null }[];
  expiresAt: string;
  allowDownload: boolean;
}

export interface CheckValue {
  name: string;
  ok: boolean;
}

export interface ListValue<Value> {
  count: number;
  rows: Value[];
}

/** Part of a list, from its start. */
export interface ListQuery {
  filter?: Record<string, unknown>;
  order?: { field: 'CREATED_AT' | 'UPDATED_AT' | 'NAME' | 'EXPIRES_AT'; direction: 'ASC' | 'DESC' };
  size?: number;
}

export interface Upload {
  name: string;
  body: string;
  type?: string;
}

type Who = Actor | null;
type Input = Record<string, unknown>;
type Of<Value = null> = Promise<Outcome<Value>>;

/** What a client can do at both doors. Inputs have GraphQL's names; `expectedVersion` is If-Match at the other door. */
export interface Surface {
  name: 'GraphQL' | 'REST';
  createStorage(who: Who, input: Input): Of<StorageValue>;
  updateStorage(who: Who, id: string, input: Input): Of<StorageValue>;
  getStorage(who: Who, id: string): Of<StorageValue>;
  listStorages(who: Who, query?: ListQuery): Of<ListValue<StorageValue>>;
  testCredential(who: Who, id: string): Of<CheckValue[]>;
  createCategory(who: Who, input: Input): Of<CategoryValue>;
  updateCategory(who: Who, id: string, input: Input): Of<CategoryValue>;
  getCategory(who: Who, id: string): Of<CategoryValue>;
  listCategories(who: Who, query?: ListQuery): Of<ListValue<CategoryValue>>;
  createDocument(who: Who, input: Input): Of<ChangedDocument>;
  updateDocument(who: Who, id: string, input: Input): Of<ChangedDocument>;
  deleteDocument(who: Who, id: string, input?: Input): Of;
  getDocument(who: Who, id: string): Of<DocumentValue>;
  listDocuments(who: Who, query?: ListQuery): Of<ListValue<DocumentValue>>;
  listTags(who: Who, search?: string): Of<{ name: string; count: number }[]>;
  approve(who: Who, id: string, input?: Input): Of<ChangedDocument>;
  reject(who: Who, id: string, input: Input): Of<ChangedDocument>;
  inactivate(who: Who, id: string, input?: Input): Of<ChangedDocument>;
  uploadFiles(who: Who, documentId: string, files: Upload[]): Of<FileValue[]>;
  /** The bytes, as text. */
  downloadFile(who: Who, documentId: string, id: string): Of<string>;
  deleteFile(who: Who, documentId: string, id: string): Of;
  shareDocument(who: Who, documentId: string, input: Input): Of<ShareValue>;
  updateShare(who: Who, documentId: string, id: string, input: Input): Of<ShareValue>;
  revokeShare(who: Who, documentId: string, id: string, input?: Input): Of;
  getShare(who: Who, documentId: string, id: string): Of<ShareValue>;
  listShares(who: Who, documentId: string, query?: ListQuery): Of<ListValue<ShareValue>>;
  previewShare(token: string, password?: string): Of<PreviewValue>;
}

/** Both doors, for `describe.each`. */
export const surfacesOf = (world: () => World): Surface[] => [graphqlSurface(world), restSurface(world)];

/** The value of an act that a test goes on from. */
export async function done<Value>(outcome: Of<Value>): Promise<Value> {
  const ended = await outcome;
  if ('value' in ended) return ended.value;
  throw new Error(`refused: ${JSON.stringify(ended)}`);
}
