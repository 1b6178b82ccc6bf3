import './scalars.js';
import './errors.js';
import '../auth/viewer.graphql.js';
import '../audit/audit.graphql.js';
import '../storage/storage.graphql.js';
import '../category/category.graphql.js';
import '../document/document.graphql.js';
import '../document/document.mutation.graphql.js';
import '../file/file.graphql.js';
import '../upload/upload.graphql.js';
import '../upload/upload.mutation.graphql.js';
import '../move/move.graphql.js';
import '../rendition/rendition.graphql.js';
import '../share/share.graphql.js';
import '../share/share.mutation.graphql.js';
import '../share/access.graphql.js';
import '../share/preview.graphql.js';
import '../node/node.graphql.js';
import { builder } from './builder.js';

/** The executable schema. This file only collects; each type lives with its feature. */
export const schema = builder.toSchema();
