import { STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** What Node's parser refuses before there is a request, by its code; anything else is no HTTP. */
const refusals: Record<string, [status: number, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time. Send it again.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers are larger than 16 KiB. Send fewer or shorter ones.'],
};

/** Answers what is no request in the form that other errors have. */
export function answerUnreadable({ code = '' }: { code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = refusals[code] ?? [400, 'This is not a request of HTTP/1.1. Check how it is sent.'];
  const body = JSON.stringify({ detail });
  const head = ['Content-Type: application/json; charset=utf-8', `Content-Length: ${body.length}`, 'Connection: close'];
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('\r\n')}\r\n\r\n${body}`);
}

/**
 * Cuts off clients that stop in the middle of a body, or of an answer that they do not take. Those that wait for us are
 * waited with, however long it takes.
 *
 * @param milliseconds how long a client may pause
 */
export function limitIdle(app: FastifyInstance, milliseconds: number): void {
  app.addHook('onRequest', ({ raw: request }, { raw: response }, done) => {
    const { socket } = request;
    const onPause = () => {
      const bodyIsDue = !request.complete && request.readableLength === 0;
      const answerIsHeld = socket.writableLength > 0;
      if (bodyIsDue || answerIsHeld) socket.destroy();
      else socket.setTimeout(milliseconds);
    };
    // One that is injected comes over no connection.
    if (socket instanceof Socket) response.setTimeout(milliseconds, onPause);
    done();
  });
}
