import { requires } from '../auth/policy.js';

export const canReadStorages = requires('storages:read');
export const canWriteStorages = requires('storages:write');
