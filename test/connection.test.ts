import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { limitIdle } from '../src/http/connection.js';
import { useWorld } from './world.js';

const world = useWorld({ IDLE_TIMEOUT: '0.3' });

async function connected(app: FastifyInstance): Promise<Socket> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo; // It listens to a port, not to a path.
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

describe('what is no request is refused like anything else', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'This is not a request of HTTP/1.1. Check how it is sent.'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'This is not a request of HTTP/1.1.',
    ],
    ['headers of 20 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20 * 1024)}\r\n\r\n`, 431, 'The headers are larger than 16 KiB.'],
  ])('%s', async (_, text, status, detail) => {
    const socket = await connected(world().app);
    socket.write(text);
    const [head = '', body = ''] = (await allOf(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('Content-Type: application/json');
    expect(JSON.parse(body).detail).toContain(detail);
  });
});

describe('a client that pauses for IDLE_TIMEOUT is cut off', () => {
  test('in the middle of a file: nothing is kept of it', async () => {
    const admin = world().actor('admin');
    const { id } = (await world().inject(admin, { method: 'POST', url: '/documents/', payload: { name: 'D' } })).json();
    const socket = await connected(world().app);
    const part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nthe first half';
    const head = `Authorization: Bearer ${admin.token}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000`;
    socket.write(`POST /documents/${id}/files/ HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${part}`);
    await allOf(socket);
    const { files } = (await world().inject(admin, { url: `/documents/${id}/` })).json();
    expect(files).toEqual([]);
  });

  test('in the middle of a JSON body', async () => {
    const socket = await connected(world().app);
    socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"query":');
    await allOf(socket);
  });

  test('while an answer is sent that it does not take', async () => {
    const app = Fastify();
    onTestFinished(() => app.close());
    limitIdle(app, 100);
    const gone = new Promise<void>((resolve) => {
      app.get('/', (_, reply) => {
        const endless = Readable.from(forever());
        endless.once('close', resolve);
        return reply.send(endless);
      });
    });
    const socket = await connected(app);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await gone;
  });
});

test('a client that waits for us is not', async () => {
  const app = Fastify();
  onTestFinished(() => app.close());
  limitIdle(app, 50);
  app.post('/', async () => {
    await sleep(400);
    return 'answered';
  });
  app.get('/', (_, reply) => reply.send(Readable.from(slowly())));
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const posted = await fetch(address, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'all of it' });
  expect(await posted.text()).toBe('answered');
  expect(await (await fetch(address)).text()).toBe('onetwo');
});

async function* forever() {
  for (;;) {
    yield Buffer.alloc(64 * 1024);
    await sleep(1);
  }
}

async function* slowly() {
  yield 'one';
  await sleep(400);
  yield 'two';
}
