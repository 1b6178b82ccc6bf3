import { builder } from '../graphql/builder.js';
import { connectionCost, listQuery, newestFirst, toConnection } from '../graphql/connection.js';
import { lists } from '../graphql/plan/declare.js';
import { accessReasons, listAccesses } from './access.service.js';
import { accessesOfShare } from './share.relations.js';

const KindEnum = builder.enumType('ShareAccessKind', {
  description: 'What was done with a share.',
  values: {
    OPEN: { description: 'It was looked at.' },
    PASSWORD: { description: 'Its password was given, or something else for it.' },
    PREVIEW: { description: 'A file was looked at, rendered.' },
    DOWNLOAD: { description: 'A file was downloaded, in one part or several.' },
    ZIP: { description: 'All files were downloaded as one archive.' },
  } as const,
});
const OutcomeEnum = builder.enumType('ShareAccessOutcome', {
  description: 'How an access of a share ended.',
  values: {
    RUNNING: { description: 'Bytes are on their way.' },
    SUCCEEDED: { description: 'All that was asked for went out.' },
    FAILED: { description: 'The transfer broke off.' },
    REFUSED: { description: 'Nothing went out; see `reason`.' },
  } as const,
});
const ReasonEnum = builder.enumType('ShareAccessReason', { description: 'Why an access was refused.', values: accessReasons });

const ShareAccess = builder.prismaObject('ShareAccess', {
  description: 'Something that was done with a share. The same by the same visitor within an hour is one of these.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'A ULID.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was done first.' }),
    lastAt: t.expose('lastAt', { type: 'DateTime', description: 'When it was done last.' }),
    times: t.exposeInt('times', { description: 'How often, within the hour.' }),
    kind: t.expose('kind', { type: KindEnum, description: 'What was done.' }),
    outcome: t.expose('outcome', { type: OutcomeEnum, description: 'How it ended.' }),
    reason: t.field({
      type: ReasonEnum,
      nullable: true,
      description: 'Why it was refused; null unless REFUSED.',
      resolve: ({ reason }) => accessReasons.find((known) => known === reason) ?? null,
    }),
    fileId: t.exposeID('fileId', { nullable: true, description: 'Which file; null: the share as a whole.' }),
    address: t.exposeString('address', { description: 'From where; without its last part where the service is set so.' }),
    userAgent: t.exposeString('userAgent', { description: 'With which program, as it says; may be empty.' }),
    bytes: t.expose('bytes', { type: 'ByteSize', description: 'How many bytes of files went out.' }),
    charged: t.exposeBoolean('charged', { description: 'Whether it counts as a download.' }),
  }),
});

const ShareAccessConnection = builder.connectionObject(
  { type: ShareAccess, name: 'ShareAccessConnection', description: 'A page of accesses.' },
  { name: 'ShareAccessEdge', description: 'An access and its cursor.' },
);
const ShareAccessFilter = builder.inputType('ShareAccessFilter', {
  description: 'Which accesses.',
  fields: (t) => ({ kind: t.field({ type: KindEnum, description: 'Of this kind.' }) }),
});
const accessQuery = listQuery(newestFirst);

builder.prismaObjectField('Share', 'accesses', (t) =>
  t.field({
    type: ShareAccessConnection,
    description: 'What was done with it, refused attempts too; newest first.',
    args: { ...t.arg.connectionArgs(), filter: t.arg({ type: ShareAccessFilter, description: 'Which ones.' }) },
    complexity: connectionCost,
    extensions: lists(accessesOfShare, accessQuery),
    resolve: async (share, args, ctx) => toConnection(await listAccesses(ctx, share.id, accessQuery(args))),
  }),
);
