import { brandWithType } from '@pothos/core';
import { Category } from '../category/category.graphql.js';
import type { RequestContext } from '../context.js';
import { Document } from '../document/document.graphql.js';
import { File } from '../file/file.graphql.js';
import { builder } from '../graphql/builder.js';
import { Node } from '../graphql/node.js';
import { orNull } from '../graphql/nullable.js';
import { StorageMove } from '../move/move.graphql.js';
import { Share } from '../share/share.graphql.js';
import { Storage } from '../storage/storage.graphql.js';
import { checkNodeCount, findNode } from './node.service.js';

const types = { Storage, Category, Document, File, Share, StorageMove };

async function node(ctx: RequestContext, id: string) {
  const found = await orNull(findNode(ctx, id));
  if (found) brandWithType(found.row, types[found.type]);
  return found?.row ?? null;
}

builder.queryFields((t) => ({
  node: t.field({
    type: Node,
    nullable: true,
    description: 'Any object by its id, or null.',
    args: { id: t.arg.id({ required: true, description: 'The id of a storage, category, document, file, share or move.' }) },
    resolve: (_, { id }, ctx) => node(ctx, id),
  }),
  nodes: t.field({
    type: [Node],
    nullable: { list: false, items: true },
    description: 'Many objects by their ids, in the same order; null for each that is not there.',
    args: { ids: t.arg.idList({ required: true, description: 'At most 100 ids.' }) },
    complexity: ({ ids }) => ({ field: 1, multiplier: ids.length }),
    resolve: (_, { ids }, ctx) => {
      checkNodeCount(ids);
      return ids.map((id) => node(ctx, id));
    },
  }),
}));
