import { StorageError } from '../errors.js';
import { azureAccount, azureFault, createContainerClient } from './azure-client.js';
import type { AzureCredentials } from './credentials.js';
import { closeIdle, type HostGuard } from './hosts.js';
import { usualPatience } from './patience.js';

/** Creates a container, without public access, or takes over an empty one. @throws StorageError ALREADY_EXISTS for one with objects */
export async function provisionAzure(container: string, credentials: AzureCredentials, hosts: HostGuard): Promise<void> {
  const account = azureAccount(credentials);
  hosts.check(account.endpoint);
  const agents = hosts.agents({ keepAlive: true, maxSockets: 1, silence: usualPatience.answer });
  const client = createContainerClient(account, container, agents, usualPatience);
  try {
    const { succeeded } = await client.createIfNotExists();
    if (succeeded) return;
    for await (const _ of client.listBlobsFlat()) {
      throw new StorageError(
        'ALREADY_EXISTS',
        'There is such a container and it holds objects. Name another one, or send managed as false.',
      );
    }
  } catch (error) {
    throw error instanceof StorageError ? error : azureFault(error);
  } finally {
    closeIdle(agents);
  }
}
