import { connect, type Socket } from 'node:net';

export interface HttpRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
}

export interface Load {
  /** Completed requests per second. */
  rate: number;
  completed: number;
  /** In ms. */
  p50: number;
  p99: number;
  /** How many answers came with each status. */
  statuses: Map<number, number>;
  /** Answers to GraphQL requests that contain errors, whatever their status. */
  failures: number;
}

/**
 * Sends these requests in turn over keep-alive connections, on each as soon as the answer before it is complete. Plain
 * sockets: on a small machine the client must cost little beside what it measures.
 *
 * @param atLeast goes on beyond that time until this many are answered
 */
export async function load(origin: string, requests: HttpRequest[], connections: number, seconds: number, atLeast = 0): Promise<Load> {
  const messages = requests.map((request) => serialise(origin, request));
  let turn = 0;
  const message = () => messages[turn++ % messages.length] ?? Buffer.alloc(0);
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  let failures = 0;
  const onAnswer = (status: number, ms: number, failed: boolean) => {
    latencies.push(ms);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (failed) failures += 1;
  };
  const started = performance.now();
  const enough = () => performance.now() >= started + seconds * 1000 && latencies.length >= atLeast;
  await Promise.all(Array.from({ length: connections }, () => drive(origin, message, enough, onAnswer)));
  const elapsed = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { rate: latencies.length / elapsed, completed: latencies.length, p50: at(0.5), p99: at(0.99), statuses, failures };
}

function serialise(origin: string, { method, path, headers, body }: HttpRequest): Buffer {
  const lines = Object.entries({ host: new URL(origin).host, ...headers, ...(body && { 'content-length': String(body.length) }) });
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}

type OnAnswer = (status: number, ms: number, failed: boolean) => void;

function drive(origin: string, message: () => Buffer, enough: () => boolean, onAnswer: OnAnswer): Promise<void> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const answers = new AnswerReader();
    let sent = 0;
    const next = () => {
      if (enough()) {
        finish(socket, resolve);
        return;
      }
      sent = performance.now();
      socket.write(message());
    };
    socket.on('connect', next);
    socket.on('data', (chunk) => {
      if (!answers.push(chunk)) return;
      onAnswer(answers.status, performance.now() - sent, answers.failed);
      next();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
  });
}

function finish(socket: Socket, resolve: () => void): void {
  socket.removeAllListeners('close');
  socket.destroy();
  resolve();
}

/** Finds the end of an answer: by its length, or by the last chunk. */
class AnswerReader {
  status = 0;
  failed = false;
  private head: Buffer = Buffer.alloc(0);
  /** Bytes of the body that are still to come; null: the head is, -1: chunks are. */
  private left: number | null = null;

  /** @returns whether the answer is complete */
  push(chunk: Buffer): boolean {
    const body = this.left === null ? this.readHead(chunk) : chunk;
    if (body === null || this.left === null) return false;
    // GraphQL puts "errors" first or last; a name in the data cannot look like this, its quotes would be escaped.
    if (this.failed === false && body.length < 65536 && body.includes('"errors":[')) this.failed = true;
    if (this.left !== -1) this.left -= body.length;
    const done = this.left === -1 ? body.subarray(-7).toString('latin1').endsWith('0\r\n\r\n') : this.left <= 0;
    if (done) this.left = null;
    return done;
  }

  private readHead(chunk: Buffer): Buffer | null {
    this.head = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
    const end = this.head.indexOf('\r\n\r\n');
    if (end === -1) return null;
    const text = this.head.toString('latin1', 0, end);
    const body = this.head.subarray(end + 4);
    this.head = Buffer.alloc(0);
    this.status = Number(text.slice(9, 12));
    this.failed = false;
    this.left = /\r\ntransfer-encoding: *chunked/i.test(text) ? -1 : Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    return body;
  }
}
