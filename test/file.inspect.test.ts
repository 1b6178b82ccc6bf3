import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { PayloadTooLargeError } from '../src/errors.js';
import { type Inspection, inspectBytes } from '../src/file/inspect.js';

const KiB = 1024;
const maxSize = 1024 * KiB;

async function inspect(chunks: Uint8Array[], declaredType?: string): Promise<Inspection> {
  const { stream, result } = inspectBytes(Readable.from(chunks), { maxSize, declaredType });
  expect((await buffer(stream)).equals(Buffer.concat(chunks))).toBe(true);
  return result;
}
const typeOf = async (content: string | Uint8Array, declaredType?: string) =>
  (await inspect([Buffer.from(content)], declaredType)).contentType;

const chunk = (type: string, data: Buffer) => {
  const part = Buffer.alloc(12 + data.length);
  part.writeUInt32BE(data.length);
  part.write(type, 4);
  data.copy(part, 8);
  return part;
};
const png = (profile: number) =>
  Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', Buffer.alloc(13)),
    chunk('iCCP', randomBytes(profile)),
    chunk('IDAT', Buffer.alloc(20)),
  ]);

function zip(...entries: [string, string | Buffer][]): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of entries) archive.addBuffer(Buffer.from(content), name);
  archive.end();
  return buffer(archive.outputStream);
}
const office = 'application/vnd.openxmlformats-officedocument';
const docx = `${office}.wordprocessingml.document`;
const xlsx = `${office}.spreadsheetml.sheet`;
const contentTypes: [string, string] = ['[Content_Types].xml', `<Types><Override ContentType="${docx}.main+xml"/></Types>`];
const photo: [string, Buffer] = ['word/media/1.jpg', randomBytes(200 * KiB)];

describe('size and digest', () => {
  it('of nothing', async () => {
    const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(await inspect([])).toEqual({ size: 0, sha256, contentType: 'text/plain' });
  });

  it('and type do not depend on how the bytes are cut into chunks', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(`${text}<p>`)),
    );
    // Around 64 KiB, where the head ends, also within one character.
    const padding = fc.oneof(fc.constant(0), fc.integer({ min: 63 * KiB, max: 65 * KiB }));
    await fc.assert(
      fc.asyncProperty(content, padding, fc.array(fc.nat(66 * KiB), { maxLength: 8 }), async (bytes, pad, cuts) => {
        const whole = Buffer.concat([Buffer.alloc(pad, 'ä'), bytes, Buffer.alloc(pad ? 0 : 5, 'x')]);
        const at = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, i) => whole.subarray(at[i], end));
        const inOne = await inspect([whole]);
        expect(await inspect(chunks)).toEqual(inOne);
        expect(inOne).toMatchObject({ size: whole.length, sha256: createHash('sha256').update(whole).digest('hex') });
      }),
      { numRuns: 150 },
    );
  });
});

describe('the type', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['PDF', '%PDF-1.7\n%âãÏÓ\n', 'application/pdf'],
    ['PDF of text only, with a byte order mark', '\ufeff%PDF-1.4\n1 0 obj', 'application/pdf'],
    ['PNG', png(10), 'image/png'],
    ['PNG with its pixels behind 100 KiB of colour profile', png(100 * KiB), 'image/png'],
    ['JPEG', Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex'), 'image/jpeg'],
    ['GIF', Buffer.from('474946383961010001000000', 'hex'), 'image/gif'],
    ['WebP', Buffer.from('524946462400000057454250565038', 'hex'), 'image/webp'],
    ['gzip, cut off', gzipSync(randomBytes(90 * KiB)), 'application/gzip'],
    ['Ogg Opus, which has a parameter', Buffer.from(`OggS${'\0'.repeat(24)}OpusHead${'\0'.repeat(40)}`), 'audio/ogg'],
    ['RTF', '{\\rtf1\\ansi hello}', 'application/rtf'],
    ['vCard', 'BEGIN:VCARD\nVERSION:4.0\n', 'text/vcard'],
    ['old Word', Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)]), 'application/x-cfb'],
    ['plain text', 'Grüße aus Zürich\r\n\tEnde\f', 'text/plain'],
    ['text with a byte order mark', '\ufeffhello', 'text/plain'],
    ['text that begins like a bitmap', 'BMW lease contract', 'text/plain'],
    ['text that begins like a program', 'MZ Ltd.', 'text/plain'],
    ['text that begins like a picture', 'GIFTS', 'text/plain'],
    ['text with a smaller-than sign', '<3 and 1 < 2', 'text/plain'],
    ['text that mentions markup', 'use <script> tags', 'text/plain'],
    ['JSON', ' {"a": [1, null]}\n', 'application/json'],
    ['broken JSON', '{"a": ', 'text/plain'],
    ['a bare number', '42', 'text/plain'],
    ['JSON too deep to parse', '['.repeat(60_000), 'text/plain'],
    ['Latin-1', Buffer.from('Gr\xfc\xdfe', 'latin1'), 'application/octet-stream'],
    ['UTF-16', Buffer.from('\ufeffhello', 'utf16le'), 'application/octet-stream'],
    ['XML in UTF-16', Buffer.from('\ufeff<?xml version="1.0"?><svg/>', 'utf16le'), 'application/octet-stream'],
    ['HTML in UTF-16, big end first', Buffer.from('\ufeff<html>', 'utf16le').swap16(), 'application/octet-stream'],
    ['XML with a NUL byte', '<?xml version="1.0"?>\0<svg/>', 'application/octet-stream'],
    ['a NUL byte', 'a\0b', 'application/octet-stream'],
    ['terminal escapes', 'a\x1b[31mb', 'application/octet-stream'],
    ['C1 controls', 'a\u009bb', 'application/octet-stream'],
    ['a character that is cut at the very end', Buffer.from([0x61, 0xe2, 0x82]), 'application/octet-stream'],
  ])('of %s', async (_, content, type) => {
    expect(await typeOf(content)).toBe(type);
  });

  it.each<[string, string]>([
    ['<!DOCTYPE html><p>', 'text/html'],
    ['  \n\t<HTML>', 'text/html'],
    ['\ufeff<html>', 'text/html'],
    ['<!-- <svg --><html>', 'text/html'],
    ['<!-- x -->', 'text/html'],
    ['<script>alert(1)</script>', 'text/html'],
    ['<ScRiPt/src=x>', 'text/html'],
    ['<x onclick=alert(1)>', 'text/html'],
    ['</p>', 'text/html'],
    ['<?php echo 1;', 'text/html'],
    ['<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'image/svg+xml'],
    ['<svg/onload=alert(1)>', 'image/svg+xml'],
    ['<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
    ['\ufeff<?xml version="1.0"?>\n<svg/>', 'image/svg+xml'],
    ['<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', 'text/html'],
    ['<?xml version="1.0"?><invoice/>', 'application/xml'],
    ['<!DOCTYPE svg PUBLIC "x"><svg/>', 'image/svg+xml'],
    ['<?xml-stylesheet href="x"?><a/>', 'application/xml'],
    ['GIF89a/*<svg/onload=alert(1)>*/', 'text/plain'],
  ])('of the markup %s', async (content, type) => {
    for (const declared of [undefined, 'text/plain', 'text/csv', 'image/png', 'text/markdown']) {
      const refined = type === 'text/plain' && declared?.startsWith('text/') ? declared : type;
      expect(await typeOf(content, declared)).toBe(refined);
    }
  });

  it('of markup is never text, whatever comes before or behind', async () => {
    const tag = fc.constantFrom(
      'html',
      'head',
      'script',
      'iframe',
      'h1',
      'div',
      'font',
      'table',
      'a',
      'style',
      'title',
      'b',
      'body',
      'br',
      'p',
      'svg',
    );
    const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r', '\f'), maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(space, tag, fc.constantFrom(' ', '>', '/', '\n'), fc.string(), async (before, name, end, after) => {
        expect(await typeOf(`${before}<${name}${end}${after}`, 'text/csv')).toMatch(
          /^(text\/html|image\/svg\+xml|application\/octet-stream)$/,
        );
      }),
    );
  });

  it('is found in any bytes at all', async () => {
    const magic = ['504b0304', '1f8b08', '89504e470d0a1a0a', '494433', '1a45dfa3', '49492a00', '52494646', '000000186674797068656963', ''];
    const start = fc.constantFrom(...magic).map((hex) => Buffer.from(hex, 'hex'));
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 3000 }), async (head, tail) => {
        expect(await typeOf(Buffer.concat([head, tail]))).toMatch(/^[a-z]+\/[a-z0-9.+-]+$/);
      }),
      { numRuns: 300 },
    );
  });

  it('of text whose first 64 KiB end within a character', async () => {
    expect(await typeOf(`x${'ä'.repeat(40 * KiB)}`)).toBe('text/plain');
  });
});

describe('the declared type', () => {
  it.each<[string, string, string]>([
    ['a,b\n1,2', 'text/csv', 'text/csv'],
    ['a,b\n1,2', 'Text/CSV; charset=latin1', 'text/csv'],
    ['a;b\n1;2', 'application/vnd.ms-excel', 'text/csv'],
    ['# Title', 'text/markdown', 'text/markdown'],
    ['a\tb', 'text/tab-separated-values', 'text/tab-separated-values'],
    [`[${'1,'.repeat(40 * KiB)}1]`, 'application/json', 'application/json'],
    [`[${'1,'.repeat(40 * KiB)}1]`, '', 'text/plain'],
    ['hello', 'text/html', 'text/plain'],
    ['hello', 'image/svg+xml', 'text/plain'],
    ['hello', 'application/javascript', 'text/plain'],
    ['hello', 'application/pdf', 'text/plain'],
    ['hello', '', 'text/plain'],
    ['\0', 'application/pdf', 'application/octet-stream'],
    ['\0', 'text/csv', 'application/octet-stream'],
    ['%PDF-1.7', 'text/csv', 'application/pdf'],
  ])('of %j as %j makes %s', async (content, declared, type) => {
    expect(await typeOf(content, declared)).toBe(type);
  });

  it('tells Office archives whose table of contents lies beyond the head', async () => {
    expect(await typeOf(await zip(contentTypes, photo))).toBe(docx);
    const late = await zip(['_rels/.rels', '<x/>'], ['word/document.xml', '<x/>'], photo, contentTypes);
    expect(await typeOf(late, docx)).toBe(docx);
    expect(await typeOf(late, xlsx)).toBe('application/zip');
    expect(await typeOf(late)).toBe('application/zip');
    expect(await typeOf(await zip(['a.txt', 'word/']), docx)).toBe('application/zip');
  });
});

describe('the stream', () => {
  it('passes a file of exactly the limit', async () => {
    const { stream, result } = inspectBytes(Readable.from([Buffer.alloc(6), Buffer.alloc(4)]), { maxSize: 10 });
    await buffer(stream);
    expect((await result).size).toBe(10);
  });

  it('fails at one byte more, before handing it on, and frees the source', async () => {
    const source = new PassThrough();
    const { stream, result } = inspectBytes(source, { maxSize: 10 });
    source.write(Buffer.alloc(10));
    source.write(Buffer.alloc(1));
    let passed = 0;
    const read = async () => {
      for await (const part of stream) passed += part.length;
    };
    await expect(read()).rejects.toBeInstanceOf(PayloadTooLargeError);
    await expect(result).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE', limit: 10 });
    expect(passed).toBeLessThanOrEqual(10);
    expect(source.destroyed).toBe(true);
  });

  it('fails as its source fails', async () => {
    const source = new PassThrough();
    const { stream, result } = inspectBytes(source, { maxSize });
    source.write('half');
    const cause = new Error('cut');
    setImmediate(() => source.destroy(cause));
    await expect(buffer(stream)).rejects.toBe(cause);
    await expect(result).rejects.toBe(cause);
  });

  it('fails when its source closes early', async () => {
    const source = new PassThrough();
    const { stream, result } = inspectBytes(source, { maxSize });
    source.write('half');
    setImmediate(() => source.destroy());
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await expect(result).rejects.toThrow();
  });

  it('frees its source when it is destroyed, and nobody has to catch the result', async () => {
    const source = new PassThrough();
    const { stream } = inspectBytes(source, { maxSize });
    source.write('half');
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(source.destroyed).toBe(true);
  });

  it('does not take a source that was read or destroyed for an empty file', async () => {
    const ended = Readable.from([Buffer.from('lost')]);
    await buffer(ended);
    expect(() => inspectBytes(ended, { maxSize })).toThrow(/read before/);
    const { stream, result } = inspectBytes(new PassThrough().destroy(), { maxSize });
    await expect(buffer(stream)).rejects.toThrow();
    await expect(result).rejects.toThrow();
  });
});
