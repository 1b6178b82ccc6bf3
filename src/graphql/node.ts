import { builder } from './builder.js';

/** Relay's Node: anything with an id of its own. Its ids are the plain ULIDs that REST shows too. */
export const Node = builder.interfaceRef<{ id: string }>('Node').implement({
  description: 'An object with an id. The id is the same string on the REST door.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'A ULID: 26 characters, sortable by creation time.' }) }),
});

interface Audited {
  createdBy: string;
  updatedBy: string | null;
  createdAt: Date;
  updatedAt: Date;
  version: number;
}

/** Who made and changed an object, and when. */
export const Auditable = builder.interfaceRef<Audited>('Auditable').implement({
  description: 'Who made and last changed an object, and when.',
  fields: (t) => ({
    createdBy: t.expose('createdBy', { type: 'UUID', description: 'The user who created it.' }),
    updatedBy: t.expose('updatedBy', { type: 'UUID', nullable: true, description: 'The user who last changed it; null until then.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
    version: t.exposeInt('version', {
      description: 'Counts its changes. Send it as `expectedVersion` so that no change of another is lost.',
    }),
  }),
});

export const DateRangeInput = builder.inputType('DateRange', {
  description: 'A range of time; both ends are included and either may be left out.',
  fields: (t) => ({
    from: t.field({ type: 'DateTime', description: 'Not before this.' }),
    to: t.field({ type: 'DateTime', description: 'Not after this.' }),
  }),
});
