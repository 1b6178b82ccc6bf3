/** What a token may allow. Every policy asks for exactly one of these. */
export const scopes = [
  'storages:read',
  'storages:write',
  'categories:read',
  'categories:write',
  'documents:read',
  'documents:write',
  'documents:review',
  'shares:read',
  'shares:write',
] as const;
export type Scope = (typeof scopes)[number];

const read: Scope[] = ['storages:read', 'categories:read', 'documents:read', 'shares:read'];

/** Roles are bundles of scopes, nothing more. */
export const roles = {
  viewer: read,
  editor: [...read, 'categories:write', 'documents:write', 'shares:write'],
  reviewer: [...read, 'documents:review'],
  admin: [...scopes],
} as const satisfies Record<string, readonly Scope[]>;
export type Role = keyof typeof roles;

/** Who acts: one user of one tenant, and what the token allows. */
export interface Viewer {
  userId: string;
  tenantId: string;
  scopes: ReadonlySet<Scope>;
}
