import { isDeepStrictEqual } from 'node:util';
import type { ContainerClient } from '@azure/storage-blob';
import { StorageError } from '../errors.js';
import { azureAccount, azureFault, createContainerClient } from './azure-client.js';
import type { AzureContainerConfig } from './azure-config.js';
import type { AzureCredentials } from './credentials.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { usualPatience } from './patience.js';

interface Wanted {
  bucket: string;
  credentials: AzureCredentials;
  config: AzureContainerConfig;
  /** What was applied before; null: the container is to be created. */
  before: AzureContainerConfig | null;
}

/**
 * Creates a container, or takes over an empty one, without public access, and applies the difference between two configurations.
 *
 * @throws StorageError ALREADY_EXISTS for a container with objects: its configuration is not ours to change
 */
export async function provisionAzure({ bucket, credentials, config, before }: Wanted, hosts: HostGuard): Promise<void> {
  const account = azureAccount(credentials);
  hosts.check(account.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 1, silence: usualPatience.answer });
  const client = createContainerClient(account, bucket, agents, usualPatience);
  try {
    if (before === null) await create(client, config);
    else await applyDifference(client, config, before);
  } catch (error) {
    throw error instanceof StorageError ? error : azureFault(error);
  } finally {
    closeIdle(agents);
  }
}

async function create(client: ContainerClient, config: AzureContainerConfig): Promise<void> {
  const { metadata, defaultEncryptionScope, denyEncryptionScopeOverride: preventEncryptionScopeOverride } = config;
  const containerEncryptionScope = { defaultEncryptionScope, preventEncryptionScopeOverride };
  const { succeeded } = await client.createIfNotExists({ metadata, ...(defaultEncryptionScope && { containerEncryptionScope }) });
  if (!succeeded) await requireEmpty(client);
  await requireScope(client, config);
  if (!succeeded) await takeOver(client, config);
}

async function requireEmpty(client: ContainerClient): Promise<void> {
  for await (const _ of client.listBlobsFlat()) {
    throw new StorageError('ALREADY_EXISTS', 'There is such a container and it holds objects. Name another one, or send managed as false.');
  }
}

/** Also a new container may lack it: where the service does not know scopes, as emulators do not. */
async function requireScope(client: ContainerClient, config: AzureContainerConfig): Promise<void> {
  if (config.defaultEncryptionScope === undefined) return;
  const { defaultEncryptionScope, denyEncryptionScopeOverride } = await client.getProperties();
  const found = { defaultEncryptionScope, denyEncryptionScopeOverride };
  if (!isDeepStrictEqual(scopeOf(found), scopeOf(config))) throw scopeIsFixed();
}

/** Whoever had it before may have opened it to the public. */
async function takeOver(client: ContainerClient, { metadata = {} }: AzureContainerConfig): Promise<void> {
  await client.setAccessPolicy();
  await client.setMetadata(metadata);
}

async function applyDifference(client: ContainerClient, config: AzureContainerConfig, before: AzureContainerConfig): Promise<void> {
  if (!isDeepStrictEqual(scopeOf(config), scopeOf(before))) throw scopeIsFixed();
  if (!isDeepStrictEqual(config.metadata, before.metadata)) await client.setMetadata(config.metadata ?? {});
}

const scopeOf = ({ defaultEncryptionScope, denyEncryptionScopeOverride = false }: AzureContainerConfig) => ({
  defaultEncryptionScope,
  denyEncryptionScopeOverride,
});

const scopeIsFixed = () =>
  new StorageError(
    'UNSUPPORTED',
    'The container has not the encryption of config.defaultEncryptionScope, which is given at creation and then for good. Create another storage.',
  );
