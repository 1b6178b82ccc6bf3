import { categoryById } from '../category/category.loader.js';
import { Prisma } from '../db/generated/client.js';
import { found, list, listByParent, one } from '../relation/relation.js';
import { storageById } from '../storage/storage.loader.js';
import { documentConditions } from './document.filter.js';
import { documentById, documents } from './document.loader.js';

export const documentOfId = found(documentById);
export const documentList = list(documents, documentConditions);
export const documentCategory = one(categoryById, 'categoryId');
export const documentStorage = one(storageById, 'storageId');
export const categoryDocuments = listByParent(documents, Prisma.sql`d.category_id`, documentConditions);
export const storageDocuments = listByParent(documents, Prisma.sql`d.storage_id`, documentConditions);
