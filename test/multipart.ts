import { randomUUID } from 'node:crypto';

export interface Part {
  field: string;
  body: string | Buffer;
  /** With a name the part is a file. */
  name?: string;
  type?: string;
}

/** A multipart/form-data body and its headers, as a browser would send them. */
export function multipart(parts: Part[]): { headers: Record<string, string>; payload: Buffer } {
  const boundary = `----${randomUUID()}`;
  const chunks = parts.flatMap(({ field, body, name, type }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${field}"${name === undefined ? '' : `; filename="${name}"`}\r\n` +
        `${name === undefined ? '' : `Content-Type: ${type ?? 'application/octet-stream'}\r\n`}\r\n`,
    ),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ]);
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    payload: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

export interface UploadFile {
  name: string;
  body: string | Buffer;
  /** What the client says it is. */
  type?: string;
}

/** A GraphQL multipart request: the files fill `variables.files`. */
export function graphqlUpload(query: string, variables: object, files: UploadFile[]) {
  const operations = JSON.stringify({ query, variables: { ...variables, files: files.map(() => null) } });
  const map = JSON.stringify(Object.fromEntries(files.map((_, index) => [index, [`variables.files.${index}`]])));
  const { headers, payload } = multipart([
    { field: 'operations', body: operations },
    { field: 'map', body: map },
    ...files.map((file, index) => ({ field: String(index), ...file })),
  ]);
  return { method: 'POST' as const, url: '/graphql', headers: { ...headers, 'apollo-require-preflight': 'true' }, payload };
}
