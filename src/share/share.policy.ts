import { requires } from '../auth/policy.js';

export const canReadShares = requires('shares:read');
export const canWriteShares = requires('shares:write');
