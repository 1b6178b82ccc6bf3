import { Duplex } from 'node:stream';
import type { PGlite } from '@electric-sql/pglite';

/** The protocol's Terminate message. PGlite would end the whole database on it. */
const TERMINATE = 0x58;

/**
 * What a `pg.Client` uses as its socket, with PGlite at the other end: each write is one or more whole
 * protocol messages, and their answers can be read. `pg` corks the messages of a query, so that a query
 * runs to its end in one piece, whatever becomes of the client.
 */
export class PGliteStream extends Duplex {
  constructor(private readonly db: PGlite) {
    super();
  }

  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {}

  override _write(message: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this._writev([{ chunk: message }], done);
  }

  override _writev(writes: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const messages = writes.map((write) => write.chunk).filter((message) => message[0] !== TERMINATE);
    this.exchange(Buffer.concat(messages)).then(() => done(), done);
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  private async exchange(messages: Buffer): Promise<void> {
    if (messages.length === 0) return;
    const answers: Buffer[] = [];
    // The bytes are copied, as they lie in memory that PGlite uses again, and handed on only afterwards:
    // their reader may throw, and would do so through the frames of the WebAssembly module.
    const onRawData = (bytes: Uint8Array) => void answers.push(Buffer.from(bytes));
    await this.db.runExclusive(() => this.db.execProtocolRawStream(messages, { onRawData }));
    if (!this.readableEnded && !this.destroyed) this.push(Buffer.concat(answers));
  }
}
