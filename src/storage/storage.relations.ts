import { found } from '../relation/relation.js';
import { storageById } from './storage.loader.js';

export const storageOfId = found(storageById);
