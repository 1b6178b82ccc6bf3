import { requires } from '../auth/policy.js';

export const canReadCategories = requires('categories:read');
export const canWriteCategories = requires('categories:write');
