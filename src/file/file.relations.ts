import { Prisma } from '../db/generated/client.js';
import { documentById } from '../document/document.loader.js';
import { many, one } from '../relation/relation.js';
import { files, visible } from './file.loader.js';

/** A document's files, in the order of their upload. */
export const documentFiles = many(files, Prisma.sql`f.document_id`, 'documentId', visible);
export const fileDocument = one(documentById, 'documentId');
