import { requires } from '../auth/policy.js';

export const canReadMoves = requires('storages:read');
export const canMoveStorage = requires('storages:write');
