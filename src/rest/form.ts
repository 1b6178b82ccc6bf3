import { createHash } from 'node:crypto';
import { finished, PassThrough, Readable } from 'node:stream';
import { finished as ended } from 'node:stream/promises';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import type { FastifyContentTypeParser, FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DomainError, invalid, PayloadTooLargeError } from '../errors.js';
import type { IncomingFile } from '../file/upload.service.js';
import { parseJsonBody } from './body.js';

/** Of all fields together, in bytes: as much as a JSON body may have. */
const MAX_FIELDS_SIZE = 1024 * 1024;
const MAX_FIELDS = 200;
/** Names under which files come. */
const fileParts = ['files', 'file'];
/** A part's name; some libraries write `[]` behind the name of a list. */
const plainName = (name: string | undefined) => name?.replace(/\[\]$/, '');

/** How the values of a field become what the same field is in JSON. @throws VALIDATION_FAILED */
export type FieldReader = (values: string[], name: string) => unknown;

/** A field that comes once. */
export const textField: FieldReader = (values, name) => {
  if (values.length > 1) throw invalid(name, 'must come once');
  return values[0];
};

/** A list: one part for each of its items, or a single part with a JSON array or a list with commas. */
export const listField: FieldReader = (values, name) => {
  const [only = ''] = values;
  if (values.length > 1) return values;
  if (only.startsWith('[')) return json(only, name);
  return only.split(',').filter((text) => text.trim() !== '');
};

/** A JSON value; an empty part is none. */
export const jsonField: FieldReader = (values, name) => {
  const text = textField(values, name);
  return typeof text === 'string' && text.trim() !== '' ? json(text, name) : undefined;
};

function json(text: string, name: string): unknown {
  try {
    return parseJsonBody(Buffer.from(text));
  } catch (error) {
    throw invalid(name, error instanceof Error ? error.message : 'must be JSON');
  }
}

const parseError = (what: string) => new DomainError('BAD_REQUEST', `Multipart form parse error - ${what}`);

/**
 * A multipart body while it arrives. Each file is read when its turn comes, so that memory does not grow with them; fields
 * may come before the files, between them and after them. A body that breaks fails the file that is being read and whatever
 * would come after it.
 */
export class Form implements AsyncIterable<IncomingFile> {
  /** The known fields in the order of their arrival. */
  private readonly fields: [name: string, value: string][] = [];
  private readonly parts = new Readable({ objectMode: true, read: () => {} });
  private readonly parser: BusboyInstance;
  /** How many of them count: what comes behind the first file does so when all files are read. */
  private counting = Number.POSITIVE_INFINITY;
  private fieldsSize = 0;
  private current: PassThrough | null = null;
  private readonly digests: string[][] = [];

  private constructor(
    private readonly source: Readable,
    contentType: string,
    private readonly readers: Record<string, FieldReader>,
    maxFiles: number,
    private readonly repeatable: boolean,
  ) {
    this.parser = parserOf(contentType, maxFiles);
    // Who waits for the next part hears of it; nobody else has to.
    this.parts.on('error', () => {});
    this.parser.on('field', (name, value, _, truncated) => this.addField(name, value, truncated));
    this.parser.on('file', (name, stream, fileName, _, declaredType) => this.addFile(name, stream, fileName, declaredType));
    this.parser.on('finish', () => this.parts.push(null));
    this.parser.on('error', (error: Error) => this.fail(parseError(error.message)));
    for (const limit of ['partsLimit', 'fieldsLimit'] as const) this.parser.on(limit, () => this.fail(tooManyParts()));
    finished(source, { writable: false }, (error) => error && this.fail(parseError('the body ended early')));
    source.pipe(this.parser);
  }

  /**
   * Reads a body up to its first file.
   *
   * @param readers of the fields that count; others are ignored
   * @param maxFiles one more is let through, for the service to refuse
   * @param repeatable whether its fingerprint will be asked for
   */
  static async open(
    source: Readable,
    contentType: string,
    readers: Record<string, FieldReader>,
    maxFiles: number,
    repeatable: boolean,
  ): Promise<Form> {
    const form = new Form(source, contentType, readers, maxFiles, repeatable);
    await new Promise<void>((resolve, reject) => {
      form.parts.once('readable', resolve);
      form.parts.once('error', reject);
    });
    return form;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<IncomingFile> {
    // What is not asked for is still read on, for the sake of the client that sends it.
    for await (const part of this.parts.iterator({ destroyOnReturn: false })) yield part;
    this.counting = Number.POSITIVE_INFINITY;
  }

  /** The fields before the first file; all of them when the last file was read. @throws VALIDATION_FAILED */
  values(): Record<string, unknown> {
    const known = this.fields.slice(0, this.counting);
    const read = Object.entries(this.readers).flatMap(([name, reader]) => {
      const values = known.filter(([field]) => field === name).map(([, value]) => value);
      return values.length > 0 ? [[name, reader(values, name)]] : [];
    });
    return Object.fromEntries(read);
  }

  /** What it holds, whatever its boundary: fields and files with their names and bytes. Reads what nobody has read. */
  async fingerprint(): Promise<unknown> {
    for await (const file of this) await ended(file.open().resume());
    return [this.fields, this.digests];
  }

  /** Reads on, to nowhere: a client that is still sending would never come to read the answer. */
  discard(): void {
    this.source.unpipe(this.parser);
    this.source.resume();
  }

  private addField(given: string | undefined, value: string, truncated: boolean): void {
    const name = plainName(given);
    this.fieldsSize += Buffer.byteLength(value);
    const fault = truncated || this.fieldsSize > MAX_FIELDS_SIZE ? fieldsTooLarge() : fieldFault(name, value);
    if (fault) this.fail(fault);
    else if (name !== undefined && Object.hasOwn(this.readers, name)) this.fields.push([name, value]);
  }

  private addFile(given: string | undefined, stream: BusboyFileStream, fileName: string | undefined, declaredType: string): void {
    const name = plainName(given);
    this.counting = Math.min(this.counting, this.fields.length);
    // The parser tells of a broken body twice.
    stream.on('error', () => {});
    if (name !== undefined && fileParts.includes(name)) {
      this.parts.push({
        name: fileName ?? '',
        declaredType,
        open: () => this.read(stream, [name, fileName ?? '', declaredType]),
      } satisfies IncomingFile);
    } else {
      this.fail(invalid(name ?? 'files', 'is not taken here; send files in parts that are named "files"'));
    }
  }

  private digest(stream: BusboyFileStream, described: string[]): void {
    const hash = createHash('sha256');
    stream.on('data', (chunk: Buffer) => hash.update(chunk));
    stream.once('end', () => this.digests.push([...described, hash.digest('hex')]));
  }

  private read(stream: BusboyFileStream, described: string[]): Readable {
    if (this.repeatable) this.digest(stream, described);
    const bytes = new PassThrough();
    this.current = bytes;
    // A file that is refused is read to its end all the same.
    bytes.once('close', () => stream.resume());
    if (this.parts.errored) bytes.destroy(this.parts.errored);
    return stream.pipe(bytes);
  }

  private fail(error: Error): void {
    this.discard();
    this.parts.destroy(error);
    this.current?.destroy(error);
  }
}

function parserOf(contentType: string, maxFiles: number): BusboyInstance {
  const limits = {
    fieldSize: MAX_FIELDS_SIZE,
    fields: MAX_FIELDS,
    files: maxFiles + 1,
    parts: MAX_FIELDS + maxFiles + 1,
    headerPairs: 20,
    headerSize: 16 * 1024,
  };
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits });
  } catch (error) {
    throw parseError(error instanceof Error ? error.message : 'no boundary');
  }
}

function fieldFault(name: string | undefined, value: string): DomainError | null {
  if (name === undefined) return parseError('a part has no name');
  if (fileParts.includes(name)) return invalid(name, 'must be a file: its part needs a filename');
  return value.includes('\ufffd') ? invalid(name, 'must be UTF-8') : null;
}

const tooManyParts = () => new PayloadTooLargeError(`More than ${MAX_FIELDS} fields. Send fewer.`, MAX_FIELDS);
const fieldsTooLarge = () => new PayloadTooLargeError('The fields are larger than 1 MiB. Send less.', MAX_FIELDS_SIZE);

/** The files of a form in a route's schema; in JSON there are none. */
export const formFiles = z
  .custom<AsyncIterable<IncomingFile>>((value) => value instanceof Form, 'send at least one file')
  .meta({
    type: 'array',
    items: { type: 'string', format: 'binary' },
    minItems: 1,
    maxItems: 20,
    description: 'One part for each file; its filename is kept. Parts named "file" count too.',
  });

declare module 'fastify' {
  interface FastifyRequest {
    /** The multipart body, if that is what came. */
    form: Form | null;
  }
}

/** Lets the routes of this plugin take `multipart/form-data`: `request.form`, its fields to be read so, and `body.files`. */
export function takeForms(app: FastifyInstance, readers: Record<string, FieldReader>): void {
  app.addContentTypeParser('multipart/form-data', formParser(readers));
  app.addHook('onSend', async ({ form }) => form?.discard());
}

const formParser =
  (readers: Record<string, FieldReader>): FastifyContentTypeParser =>
  async (request: FastifyRequest, payload: Readable) => {
    const { headers, server } = request;
    const { maxFiles } = server.docgate.services.limits;
    const form = await Form.open(payload, headers['content-type'] ?? '', readers, maxFiles, 'idempotency-key' in headers);
    request.form = form;
    return { files: form };
  };
