import { type BlockBlobClient, ContainerClient, newPipeline, StorageSharedKeyCredential } from '@azure/storage-blob';
import { StorageError, type StorageFailure } from '../errors.js';
import type { AzureCredentials } from './credentials.js';
import { connectionFault, foreign, statusFault, trimmed } from './faults.js';
import type { Agents } from './hosts.js';
import type { Patience } from './patience.js';

/** An account, whichever way its credentials were given. */
export interface AzureAccount {
  key: StorageSharedKeyCredential;
  /** Without a slash at the end. */
  endpoint: string;
}

/** One container, and how to talk to it. */
export interface AzureContainer {
  client: ContainerClient;
  account: AzureAccount;
  patience: Patience;
}

/** @throws StorageError MISCONFIGURED for a connection string that names no account with its key */
export function azureAccount(credentials: AzureCredentials): AzureAccount {
  const given = credentials.connection_string
    ? fromConnectionString(credentials.connection_string)
    : { name: credentials.account_name, key: credentials.account_key };
  const { name, key } = given;
  if (!name || !key || !/^[a-z0-9]+$/.test(name)) throw unreadable();
  const endpoint = credentials.endpoint ?? given.endpoint ?? `https://${name}.blob.core.windows.net`;
  if (!URL.canParse(endpoint) || /[?#]/.test(endpoint)) throw unreadable();
  return { key: new StorageSharedKeyCredential(name, key), endpoint: endpoint.replace(/\/+$/, '') };
}

function fromConnectionString(text: string): { name?: string; key?: string; endpoint?: string } {
  // A key ends with "=", so only the first one of each part separates.
  const parts = new Map(text.split(';').map((part) => [part.slice(0, part.indexOf('=')).trim(), part.slice(part.indexOf('=') + 1).trim()]));
  const name = parts.get('AccountName');
  const suffix = parts.get('EndpointSuffix');
  const made = suffix && `${parts.get('DefaultEndpointsProtocol') ?? 'https'}://${name}.blob.${suffix}`;
  return { name, key: parts.get('AccountKey'), endpoint: parts.get('BlobEndpoint') ?? (made || undefined) };
}

const unreadable = () =>
  new StorageError(
    'MISCONFIGURED',
    'The connection string must have AccountName, AccountKey and, where needed, BlobEndpoint or EndpointSuffix.',
  );

/** @param agents with a limit on how long a connection may be silent: the SDK has none */
export function createContainerClient(account: AzureAccount, container: string, agents: Agents, { attempts }: Patience): ContainerClient {
  const options = {
    retryOptions: { maxTries: attempts, retryDelayInMs: 500, maxRetryDelayInMs: 5_000 },
    // The SDK hands these on to the pipeline that it makes, where they are documented.
    agent: account.endpoint.startsWith('https:') ? agents.httpsAgent : agents.httpAgent,
    redirectOptions: { maxRetries: 0 },
  };
  return new ContainerClient(`${account.endpoint}/${container}`, newPipeline(account.key, options));
}

export const blobOf = ({ client }: AzureContainer, key: string): BlockBlobClient => client.getBlockBlobClient(key);

type Told = [reason: StorageFailure, message: string];

const credentialsRefused: Told = [
  'UNAUTHENTICATED',
  "The storage does not take these credentials. Check the account and its key, and that the account's firewall lets this server in.",
];
const taken: Told = ['ALREADY_EXISTS', 'The storage already holds an object of this name.'];
const changedPart: Told = ['CHANGED', 'A part is missing or changed meanwhile. List the parts again.'];
const told = new Map<string, Told>([
  ['AuthenticationFailed', credentialsRefused],
  ['AuthorizationFailure', credentialsRefused],
  ['InvalidAuthenticationInfo', credentialsRefused],
  ['KeyBasedAuthenticationNotPermitted', ['FORBIDDEN', 'The account does not let anyone in by its key. Allow storage account key access.']],
  ['AccountIsDisabled', ['FORBIDDEN', 'The account is disabled. Have it enabled, or use another.']],
  ['ContainerNotFound', ['NO_BUCKET', 'There is no such container. Create it, or correct its name.']],
  ['ContainerBeingDeleted', ['NO_BUCKET', 'The container is being deleted. Use another.']],
  ['BlobAlreadyExists', taken],
  ['UnauthorizedBlobOverwrite', taken],
  ['TargetConditionNotMet', taken],
  ['SourceConditionNotMet', ['CHANGED', 'The object changed meanwhile and was not copied. Verify it again.']],
  ['InvalidBlockList', changedPart],
  ['InvalidBlobOrBlock', changedPart],
]);

export function azureFault(error: unknown): StorageError {
  // An answer of the service carries its status; without one there was none.
  const { statusCode, code, response } = error as {
    statusCode?: number;
    code?: string;
    response?: { headers?: { get(name: string): string | undefined } };
  };
  const unanswered = statusCode === undefined ? connectionFault(error) : null;
  if (unanswered) return unanswered;
  // The SDK does not look whether an answer is what it reads it as.
  if (error instanceof TypeError) return notAzure();
  const said = response?.headers?.get('x-ms-error-code') ?? code ?? 'unknown';
  const fault = { code: said, status: statusCode ?? 0, requestId: response?.headers?.get('x-ms-request-id') };
  const known = told.get(said);
  return known ? new StorageError(...known, { cause: trimmed(fault) }) : statusFault(fault);
}

export const notAzure = () => foreign('the API of Azure Blob Storage');
export const failAsAzure = (error: unknown): never => {
  throw azureFault(error);
};
