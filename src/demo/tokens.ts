import { signToken } from '../auth/token.js';
import type { Role } from '../auth/viewer.js';
import { roles } from '../auth/viewer.js';
import type { Settings } from '../env.js';
import { demoTenants, demoUsers } from './tenants.js';

export interface DemoToken {
  tenant: string;
  role: Role;
  token: string;
}

/** A token for each tenant and role of the demo data, good for thirty days. */
export function demoTokens(secret: string, { jwtIssuer, jwtAudience }: Pick<Settings, 'jwtIssuer' | 'jwtAudience'>): DemoToken[] {
  const base = { issuer: jwtIssuer, audience: jwtAudience, expiresIn: 30 * 24 * 60 * 60 };
  return demoTenants.flatMap((tenant) =>
    (Object.keys(roles) as Role[]).map((role) => ({
      // The keys of the object that defines the roles are the roles.
      tenant: tenant.name,
      role,
      token: signToken(secret, { ...base, tenantId: tenant.id, userId: demoUsers[role], roles: [role] }),
    })),
  );
}
