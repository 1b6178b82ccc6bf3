import { connect, type Socket } from 'node:net';

/** Where clamd listens. */
export type ClamdAddress = { host: string; port: number } | { path: string };

/** What clamd is sure of. */
export type ClamdAnswer = { infected: false } | { infected: true; signature: string };

const MAX_ANSWER = 4096;

/**
 * One INSTREAM session with clamd: chunks with their length before them, a chunk of no length at the end, one line back.
 * Whatever goes wrong rejects with an Error that says what. The packages for this on npm drop back-pressure or errors.
 */
export class ClamdSession {
  private readonly socket: Socket;
  private readonly ended: Promise<void>;
  private answer = '';

  /** @param timeout how long clamd may be silent while it is waited for, in milliseconds */
  constructor(
    address: ClamdAddress,
    private readonly timeout: number,
  ) {
    this.socket = connect(address);
    this.socket.on('timeout', () => this.socket.destroy(new Error(`clamd was silent for ${timeout} ms`)));
    this.socket.on('data', (data) => this.collect(data.toString('utf8')));
    this.ended = new Promise((resolve, reject) => {
      this.socket.once('close', resolve);
      this.socket.once('error', reject);
    });
    this.ended.catch(() => undefined);
    this.socket.write('zINSTREAM\0');
  }

  /** Resolves when the chunk is on its way: whoever waits holds one chunk in memory and no more. */
  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.length > 0) await this.send(Buffer.concat([lengthOf(chunk), chunk]));
  }

  /** Ends the stream and waits for what clamd makes of it. */
  async finish(): Promise<ClamdAnswer> {
    await this.send(lengthOf(new Uint8Array()));
    await this.waiting(this.ended);
    return answerOf(this.answer.replace(/\0.*/s, '').trim());
  }

  abort(): void {
    this.socket.destroy();
  }

  private send(data: Buffer): Promise<void> {
    return this.waiting(
      new Promise((resolve, reject) => {
        this.socket.write(data, (error) => (error ? reject(this.explained(error)) : resolve()));
      }),
    );
  }

  /** The silence of a client that sends slowly is not clamd's. */
  private async waiting<Result>(work: Promise<Result>): Promise<Result> {
    this.socket.setTimeout(this.timeout);
    try {
      return await work;
    } finally {
      this.socket.setTimeout(0);
    }
  }

  private collect(text: string): void {
    this.answer += text;
    if (this.answer.length > MAX_ANSWER) this.socket.destroy(new Error('clamd answers what it should not'));
  }

  /** A clamd that gives up in mid-stream says why before it hangs up. */
  private explained(error: Error): Error {
    return this.answer ? new Error(`clamd gave up: ${this.answer}`, { cause: error }) : error;
  }
}

function lengthOf(chunk: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(chunk.length);
  return length;
}

/** @throws Error for whatever is not a verdict on the whole stream: it was too large, clamd is out of memory, the line broke */
function answerOf(line: string): ClamdAnswer {
  if (line === 'stream: OK') return { infected: false };
  const [, signature] = /^stream: (.+) FOUND$/.exec(line) ?? [];
  // What clamd says, if it is told to (AlertExceedsMax), of a file that it did not look at to its end.
  if (signature === undefined || signature.startsWith('Heuristics.Limits.Exceeded')) throw new Error(`clamd gives no verdict: ${line}`);
  return { infected: true, signature };
}
