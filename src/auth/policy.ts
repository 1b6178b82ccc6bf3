import { type RequestContext, viewerOf } from '../context.js';
import { forbidden } from '../errors.js';
import type { Scope, Viewer } from './viewer.js';

/** A rule in one sentence: `canApproveDocument(viewer)`. Pure; it also names the scope that it asks for. */
export interface Policy {
  (viewer: Viewer): boolean;
  scope: Scope;
}

/** The policy "the viewer's token carries this scope". */
export const requires = (scope: Scope): Policy => Object.assign((viewer: Viewer) => viewer.scopes.has(scope), { scope });

/** Enforces a policy: UNAUTHENTICATED without a viewer, FORBIDDEN when it says no. */
export function authorize(ctx: RequestContext, policy: Policy): Viewer {
  const viewer = viewerOf(ctx);
  if (!policy(viewer)) throw forbidden(policy.scope);
  return viewer;
}
