import type { Role } from '../auth/viewer.js';

/** The two tenants of the demo data, and a user for each role. The ids are fixed, so that a bookmark keeps working. */
export const demoTenants = [
  { id: '018f3a00-0000-7000-8000-00000000000a', name: 'Acme Lending' },
  { id: '018f3a00-0000-7000-8000-00000000000b', name: 'Borealis Credit' },
] as const;

export const demoUsers: Record<Role, string> = {
  viewer: '018f3a00-0000-7000-8000-000000000001',
  editor: '018f3a00-0000-7000-8000-000000000002',
  reviewer: '018f3a00-0000-7000-8000-000000000003',
  admin: '018f3a00-0000-7000-8000-000000000004',
};
