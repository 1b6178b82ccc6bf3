import { requires } from '../auth/policy.js';

export const canUpload = requires('documents:write');
