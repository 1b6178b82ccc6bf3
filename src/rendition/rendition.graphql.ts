import { builder } from '../graphql/builder.js';
import { countPages, previewLink } from './link.service.js';

builder.prismaObjectField('File', 'previewUrl', (t) =>
  t.string({
    nullable: true,
    description:
      'A link to a picture of a page (WebP) that works without a bearer token for five minutes, so that `<img src>` can use it. Null for files of types that have none. A file that cannot be drawn answers 404 with the code `no_preview`.',
    args: {
      page: t.arg.int({ defaultValue: 1, description: 'Which page of a PDF or TIFF, from 1.' }),
      width: t.arg.int({ description: 'In pixels: 160, 320, 640, 1024 or 1600; others are rounded up. By default 640.' }),
    },
    resolve: (file, args, ctx) => previewLink(ctx, file, args),
  }),
);

builder.prismaObjectField('File', 'pageCount', (t) =>
  t.int({
    nullable: true,
    description: 'How many pages a PDF or TIFF has; counted when first asked for. Null for other files, and for those that cannot be read.',
    complexity: { field: 10 },
    resolve: (file, _, ctx) => countPages(ctx, file),
  }),
);
