import { DocumentFilterInput } from '../document/document.graphql.js';
import { builder } from '../graphql/builder.js';
import { connectionCost, listQuery, newestFirst, orderInput, timeOrders, toConnection } from '../graphql/connection.js';
import { Auditable, Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { Storage } from '../storage/storage.graphql.js';
import { getStorage } from '../storage/storage.service.js';
import {
  cancelMove,
  getMove,
  listFailures,
  listMoves,
  type MoveFailure,
  type MoveProgress,
  moveStorage,
  progressOf,
  retryMove,
  statusOf,
} from './move.service.js';

const MoveStatusEnum = builder.enumType('StorageMoveStatus', {
  description: 'How a move stands.',
  values: {
    RUNNING: { description: 'Documents are left to do.' },
    DONE: { description: 'Everything is in the new storage.' },
    FAILED: { description: 'Some documents could not be moved and are where they were; see `failures`.' },
    CANCELLED: { description: 'It was cancelled; documents that were not begun with are where they were.' },
  } as const,
});

const Progress = builder.objectRef<MoveProgress>('StorageMoveProgress').implement({
  description: 'How far a move has come.',
  fields: (t) => ({
    documents: t.exposeInt('documents', { description: 'How many documents it is about.' }),
    pending: t.exposeInt('pending', { description: 'How many are left.' }),
    done: t.exposeInt('done', { description: 'How many are in the new storage with all of their files.' }),
    failed: t.exposeInt('failed', { description: 'How many were given up.' }),
    cancelled: t.exposeInt('cancelled', { description: 'How many were cancelled.' }),
    files: t.exposeInt('files', { description: 'How many files have arrived.' }),
    bytes: t.expose('bytes', { type: 'ByteSize', description: 'How many bytes have arrived.' }),
  }),
});

const Failure = builder.objectRef<MoveFailure>('StorageMoveFailure').implement({
  description: 'A document that could not be moved, or not yet.',
  fields: (t) => ({
    documentId: t.exposeID('documentId', { description: 'Which document.' }),
    message: t.exposeString('message', { description: 'Why, and what to do.' }),
  }),
});

export const StorageMove = builder.prismaObject('StorageMove', {
  description: 'An order to bring the files of documents to another storage. Documents and shares stay usable all the while.',
  interfaces: [Node, Auditable],
  fields: (t) => ({
    status: t.field({
      type: MoveStatusEnum,
      description: 'How it stands.',
      resolve: async (move, _, ctx) => statusOf(await progressOf(ctx, move)),
    }),
    progress: t.field({ type: Progress, description: 'How far it has come.', resolve: (move, _, ctx) => progressOf(ctx, move) }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When its last document was finished; null while it runs.',
      resolve: async (move, _, ctx) => (await progressOf(ctx, move)).finishedAt,
    }),
    failures: t.field({
      type: [Failure],
      description: 'What could not be moved, or waits for another try; at most 100.',
      resolve: (move, _, ctx) => listFailures(ctx, move),
    }),
    toStorage: t.field({
      type: Storage,
      description: 'Where the files go.',
      resolve: (move, _, ctx) => getStorage(ctx, move.toStorageId),
    }),
  }),
});

const StorageMoveConnection = builder.connectionObject(
  { type: StorageMove, name: 'StorageMoveConnection', description: 'A page of moves.' },
  { name: 'StorageMoveEdge', description: 'A move and its cursor.' },
);
const StorageMoveOrder = orderInput('StorageMove', timeOrders);
const moveQuery = listQuery(newestFirst);

builder.queryFields((t) => ({
  storageMove: t.field({
    type: StorageMove,
    nullable: true,
    description: 'One move, or null.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_, { id }, ctx) => orNull(getMove(ctx, id)),
  }),
  storageMoves: t.field({
    type: StorageMoveConnection,
    description: 'Moves between storages, newest first if not ordered otherwise.',
    args: { ...t.arg.connectionArgs(), orderBy: t.arg({ type: StorageMoveOrder, description: 'In which order.' }) },
    complexity: connectionCost,
    resolve: async (_, args, ctx) => toConnection(await listMoves(ctx, moveQuery(args))),
  }),
}));

const MoveStorageInput = builder.inputType('MoveStorageInput', {
  description: 'Which documents shall have their files where. Either `documentIds` or `filter`.',
  fields: (t) => ({
    toStorageId: t.id({ required: true, description: 'The storage that the files shall be in.' }),
    documentIds: t.idList({ description: '1 to 1000 documents.' }),
    filter: t.field({ type: DocumentFilterInput, description: 'All documents that match now; `{}` for all.' }),
  }),
});

const changeInput = (name: string, description: string) =>
  builder.inputType(name, {
    description,
    fields: (t) => ({
      id: t.id({ required: true, description: 'Which move.' }),
      expectedVersion: t.int({ description: 'The version you saw; another one answers ConflictError.' }),
    }),
  });
const CancelInput = changeInput('CancelStorageMoveInput', 'An end of a move.');
const RetryInput = changeInput('RetryStorageMoveInput', 'Another try.');

builder.mutationFields((t) => ({
  moveStorage: t.field({
    type: StorageMove,
    errors: {},
    description:
      'Brings the files of documents to another storage, in the background; each is compared with its SHA-256 before the old one goes. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: MoveStorageInput, required: true, description: 'What goes where.' }) },
    resolve: (_, { input }, ctx) => moveStorage(ctx, input),
  }),
  cancelStorageMove: t.field({
    type: StorageMove,
    errors: {},
    description: 'Leaves the documents that were not begun with where they are. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: CancelInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => cancelMove(ctx, id, input),
  }),
  retryStorageMove: t.field({
    type: StorageMove,
    errors: {},
    description: 'Tries the documents of a move that failed again. Needs the scope `storages:write`.',
    args: { input: t.arg({ type: RetryInput, required: true, description: 'Which one.' }) },
    resolve: (_, { input: { id, ...input } }, ctx) => retryMove(ctx, id, input),
  }),
}));
