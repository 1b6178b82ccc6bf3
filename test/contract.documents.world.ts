import { beforeEach } from 'vitest';
import { multipart } from './multipart.js';
import { type Call, restCaller } from './rest.caller.js';
import { type Actor, useWorld } from './world.js';

export const missing = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
/** An admin of their own for each test, who calls REST, and their documents. */
export function useDocuments() {
  const world = useWorld();
  let admin: Actor;
  beforeEach(() => {
    admin = world().actor('admin');
  });

  const call: Call = (...request) => restCaller(world(), admin)(...request);

  const newDocument = async (fields: object = {}) => (await call('POST', '/documents/', { name: 'Passport', ...fields })).body;

  async function upload(id: string, ...names: string[]) {
    const { headers, payload } = multipart(
      names.map((name) => ({ field: 'files', name, body: `the bytes of ${name}`, type: 'text/plain' })),
    );
    return call('POST', `/documents/${id}/files/`, payload, headers);
  }

  return { world, newDocument, upload, admin: () => admin, call };
}
