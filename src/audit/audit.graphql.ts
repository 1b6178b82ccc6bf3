import { builder } from '../graphql/builder.js';

export const AuditEvent = builder.prismaObject('AuditEvent', {
  description: 'Who did what when. Events are append-only and chained by hash within each subject.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'A ULID.' }),
    seq: t.exposeInt('seq', { description: 'The position in the history, from 1.' }),
    action: t.exposeString('action', { description: 'What happened, such as `document.approved`.' }),
    entityType: t.exposeString('entityType', { description: 'What kind of object it happened to.' }),
    entityId: t.exposeID('entityId', { description: 'Which object it happened to.' }),
    actorId: t.expose('actorId', { type: 'UUID', nullable: true, description: 'The user who did it; null when the system did.' }),
    before: t.expose('before', { type: 'JSON', nullable: true, description: 'What changed, as it was.' }),
    after: t.expose('after', { type: 'JSON', nullable: true, description: 'What changed, as it became.' }),
    requestId: t.exposeString('requestId', { description: 'The request that did it, as in the logs.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When.' }),
    hash: t.string({
      description: 'SHA-256 of this event and the hash before it, in hexadecimal.',
      resolve: (event) => Buffer.from(event.hash ?? []).toString('hex'),
    }),
  }),
});

export const AuditEventConnection = builder.connectionObject(
  { type: AuditEvent, name: 'AuditEventConnection', description: 'A page of a history, newest first.' },
  { name: 'AuditEventEdge', description: 'An event and its cursor.' },
);
