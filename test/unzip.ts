import { crc32, inflateRawSync } from 'node:zlib';

export interface ZipEntry {
  name: string;
  /** Whether it is kept as it is, without compression. */
  stored: boolean;
  body: Buffer;
}

/** Reads an archive by its directory, as programs do, and checks every size and checksum. Throws for one that is cut off. */
export function unzip(archive: Buffer): ZipEntry[] {
  const end = archive.length - 22;
  if (end < 0 || archive.readUInt32LE(end) !== 0x06054b50) throw new Error('the archive has no end');
  const entries: ZipEntry[] = [];
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    entries.push({ name, stored: archive.readUInt16LE(at + 10) === 0, body: contentOf(archive, at) });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** @param at where the entry stands in the directory */
function contentOf(archive: Buffer, at: number): Buffer {
  const [crc, packed, size, local] = [16, 20, 24, 42].map((offset) => archive.readUInt32LE(at + offset)) as [
    number,
    number,
    number,
    number,
  ];
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const bytes = archive.subarray(start, start + packed);
  const body = archive.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes);
  if (body.length !== size || crc32(body) !== crc) throw new Error('an entry is damaged');
  return body;
}
