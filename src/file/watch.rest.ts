import { pipeline, type Readable, Transform } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Who wants to know what becomes of bytes. */
export interface Transfer {
  ended(sent: number, complete: boolean): Promise<void>;
}

/** Sends a stream and tells how much of it went out: complete is what was handed to the client's connection to its last byte. */
export async function sendWatched(reply: FastifyReply, transfer: Transfer, open: () => Promise<Readable> | Readable) {
  const body = await opened(transfer, open);
  let sent = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _, done) {
      sent += chunk.length;
      done(null, chunk);
    },
  });
  const { socket } = reply.request.raw;
  let complete = false;
  // A connection that broke finishes too: what it still held counts as written.
  reply.raw.once('finish', () => {
    complete = counter.readableEnded && !socket.destroyed;
  });
  reply.raw.once('close', () => {
    counter.destroy();
    void transfer.ended(sent, complete);
  });
  // What fails on either side destroys both; the answer breaks off with it.
  pipeline(body, counter, () => {});
  return reply.send(counter);
}

async function opened(transfer: Transfer, open: () => Promise<Readable> | Readable): Promise<Readable> {
  try {
    return await open();
  } catch (error) {
    await transfer.ended(0, false);
    throw error;
  }
}
