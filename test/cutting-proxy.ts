import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** Stands between a client and a server, and can do to their connections what networks do. */
export interface CuttingProxy {
  /** "127.0.0.1:41234". */
  host: string;
  /** Breaks each connection off after so many bytes of its answers; null lets all through. */
  cutAfter(bytes: number | null): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(`http://${target}`);
  const open = new Set<Socket>();
  let limit: number | null = null;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    let passed = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _, done) {
        passed += chunk.length;
        if (limit !== null && passed > limit) cut();
        else done(null, chunk);
      },
    });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', cut).on('close', () => {
        open.delete(socket);
        cut();
      });
    }
    client.pipe(upstream);
    upstream.pipe(meter).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on a port has this form of address.
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (bytes) => {
      limit = bytes;
      // Connections that are kept have passed bytes already.
      for (const socket of open) socket.destroy();
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
