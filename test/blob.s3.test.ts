import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { createS3Store } from '../src/blob/s3.js';
import { leadTo } from './lead-to.js';

/** What a server gets that stands for the endpoint. */
async function sentTo(endpoint: string | undefined): Promise<IncomingHttpHeaders> {
  let headers: IncomingHttpHeaders = {};
  const server = createServer((request, response) => {
    headers = request.headers;
    request.resume().on('end', () => response.writeHead(200, { etag: '"1"' }).end());
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  // A server that listens on a port has this form of address.
  const { port } = server.address() as AddressInfo;
  const credentials = { region: 'auto', aws_access_key_id: 'GOOG1', aws_secret_access_key: 'secret', endpoint };
  const store = createS3Store('bucket', credentials, { hosts: leadTo(`127.0.0.1:${port}`) });
  await store.put('key', Readable.from([Buffer.from('x')]));
  store.close();
  return headers;
}

it('asks Google by its own word, signed, not to replace an object', async () => {
  const headers = await sentTo('https://storage.googleapis.com');
  expect(headers).toMatchObject({ host: 'storage.googleapis.com', 'if-none-match': '*', 'x-amz-if-generation-match': '0' });
  expect(headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=GOOG1\/\d{8}\/auto\/s3\/aws4_request, SignedHeaders=[^,]*x-amz-if-generation-match/,
  );
});

it('says nothing of it to others', async () => {
  expect(await sentTo('https://s3.example.com')).not.toHaveProperty('x-amz-if-generation-match');
});
