import { type BlobSASPermissions, generateBlobSASQueryParameters, SASProtocol } from '@azure/storage-blob';
import { type AzureContainer, blobOf } from './azure-client.js';
import { expiryOf } from './signed.js';

interface Grant {
  permissions: BlobSASPermissions;
  /** What the answer's headers shall say. */
  contentType?: string;
  contentDisposition?: string;
}

/** An address of a blob that grants something until it expires. @param expiresIn in seconds */
export function signBlob(place: AzureContainer, key: string, grant: Grant, expiresIn: number): { url: string; expiresAt: Date } {
  const expiresAt = expiryOf(expiresIn);
  const protocol = place.account.endpoint.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp;
  const what = { ...grant, containerName: place.client.containerName, blobName: key, expiresOn: expiresAt, protocol };
  const { url } = blobOf(place, key);
  return { url: `${url}?${generateBlobSASQueryParameters(what, place.account.key)}`, expiresAt };
}
