import { viewerOf } from '../context.js';
import { builder } from '../graphql/builder.js';
import type { Viewer } from './viewer.js';

const ViewerType = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who the bearer token says you are, and what it lets you do.',
  fields: (t) => ({
    userId: t.expose('userId', { type: 'UUID', description: 'Your user.' }),
    tenantId: t.expose('tenantId', { type: 'UUID', description: 'Your tenant: whose objects you see.' }),
    scopes: t.stringList({ description: 'What you may do.', resolve: (viewer) => [...viewer.scopes] }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({ type: ViewerType, description: 'You. UNAUTHENTICATED without a token.', resolve: (_, __, ctx) => viewerOf(ctx) }),
);
