import type { Readable } from 'node:stream';
import { z } from 'zod';
import { verifyLink } from '../auth/links.js';
import type { PartInfo } from '../blob/store.js';
import { asTenant, type RequestContext } from '../context.js';
import { invalid, notFound } from '../errors.js';
import { UploadBusyError } from './lease.js';
import { partLength } from './parts.js';
import { findUpload, noMoreParts, storeOfUpload } from './upload.service.js';

const partClaims = z.object({ tenant: z.string(), upload: z.string(), part: z.string() });

interface SentPart {
  /** The signed link's. */
  token: string;
  body: Readable;
  /** What the request says, in bytes. */
  size: number;
}

/** Takes a part of an upload to a storage that clients cannot reach themselves. The signature is the right to send it. */
export async function receivePart(ctx: RequestContext, id: string, part: string, { token, body, size }: SentPart): Promise<PartInfo> {
  const claims = verifyLink(ctx.services.linkKeys, 'upload part', partClaims, token);
  if (claims?.upload !== id || claims.part !== part) throw notFound('Upload');
  const tenant = asTenant(ctx, claims.tenant);
  const upload = await findUpload(tenant, id);
  if (upload.state !== 'OPEN' || upload.storeUploadId === null) throw noMoreParts();
  if (upload.leasedUntil && upload.leasedUntil > ctx.now()) throw new UploadBusyError();
  const number = Number(part);
  const expected = partLength(upload, number);
  if (size !== expected)
    throw invalid('size', `part ${number} of this file has ${expected} bytes; send exactly these, with Content-Length`);
  const store = await storeOfUpload(tenant, upload);
  return store.multipart.putPart(upload.stagedKey, upload.storeUploadId, number, body, { size });
}
