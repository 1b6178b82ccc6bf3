import { requires } from '../auth/policy.js';

export const canReadFiles = requires('documents:read');
export const canWriteFiles = requires('documents:write');
