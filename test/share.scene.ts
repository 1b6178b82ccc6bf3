import { createDocument } from '../src/document/document.service.js';
import { uploadFiles } from '../src/file/upload.service.js';
import { shareDocument } from '../src/share/share.service.js';
import { openToken } from '../src/share/share.token.js';
import { incoming } from './objects.js';
import type { Actor, World } from './world.js';

const DAY = 24 * 60 * 60 * 1000;

interface Scene {
  name?: string;
  description?: string;
  files?: { name: string; bytes: Buffer | string; type?: string }[];
  /** What the share asks for, besides its end in a day. */
  share?: Partial<Parameters<typeof shareDocument>[2]>;
}

/** A document with files, and a share of it. */
export async function shareScene(world: World, { name = 'Passport', description, files = [], share: policy }: Scene = {}) {
  const owner: Actor = world.actor('admin');
  const context = () => world.context(owner);
  const document = await createDocument(context(), { name, description });
  const batches = Array.from({ length: Math.ceil(files.length / 20) }, (_, index) => files.slice(index * 20, index * 20 + 20));
  for (const batch of batches) await uploadFiles(context(), document.id, incoming(...batch));
  const share = await shareDocument(context(), document.id, { expiresAt: new Date(Date.now() + DAY), ...policy });
  const token = openToken(context(), share);
  return { owner, context, document, share, token, path: `/s/${token}` };
}
