import { requires } from '../auth/policy.js';

export const canReadDocuments = requires('documents:read');
export const canWriteDocuments = requires('documents:write');
export const canApproveDocument = requires('documents:review');
export const canRejectDocument = requires('documents:review');
