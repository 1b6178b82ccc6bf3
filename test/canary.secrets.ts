import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Canary } from './canaries.js';

/** Letters that JSON, addresses and markup would each write in another way. */
export const secret = (what: string, text = `c4n4ry/${randomBytes(9).toString('hex')}+"<&`): Canary => ({ what, text });
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

export const planted = {
  secretsKey: secret('SECRETS_KEYS', randomBytes(32).toString('base64')),
  s3Id: secret('an access key id', `AKIAC4N4RY${randomBytes(5).toString('hex').toUpperCase()}`),
  s3Secret: secret('a secret access key'),
  azureKey: secret('an account key', randomBytes(64).toString('base64')),
  azureString: secret('the key of a connection string', randomBytes(64).toString('base64')),
  gcsKey: secret('a private key', pem.split('\n')[5] ?? ''),
  password: secret('the password of a share'),
  wrongPassword: secret('a wrong password'),
  newPassword: secret('the new password of a share'),
};
export const canaries = Object.values(planted);

/** A store that tells whoever asks all that it was sent, as some really do. */
export const tellTale = (request: IncomingMessage, response: ServerResponse) => {
  const told = JSON.stringify([request.url, request.headers]).replace(/[<&]/g, '');
  const body = `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>${told} ${planted.s3Secret.text.replace(/[<&]/g, '')}</Message>
    <AWSAccessKeyId>${planted.s3Id.text}</AWSAccessKeyId><StringToSign>${planted.azureKey.text}</StringToSign></Error>`;
  response.writeHead(request.url?.includes('broken') ? 500 : 403, {
    'content-type': 'application/xml',
    'x-ms-error-code': planted.azureKey.text,
    'x-ms-request-id': planted.azureKey.text,
    'x-amz-request-id': encodeURIComponent(planted.s3Secret.text),
  });
  response.end(body);
};

export const port = 41_000 + (process.pid % 9000);

export const endpoint = `http://127.0.0.1:${port}`;

const { s3Id, s3Secret, azureKey, azureString } = planted;
export const s3 = { region: 'eu-central-1', aws_access_key_id: s3Id.text, aws_secret_access_key: s3Secret.text };
export const azure = { account_name: 'acme', account_key: azureKey.text };
export const connection = `DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=${azureString.text};EndpointSuffix=core.windows.net`;
export const gcs = { project_id: 'acme', client_email: 'docgate@acme.example', private_key: pem };
export const storages: [name: string, provider: string, credentials: object, bucket?: string][] = [
  ['S3', 'AWS_S3', { ...s3, endpoint }],
  ['S3 that breaks', 'AWS_S3', { ...s3, endpoint }, 'broken'],
  ['S3 out of reach', 'AWS_S3', { ...s3, endpoint: 'http://127.0.0.1:9' }],
  ['S3 with a key too many', 'AWS_S3', { ...s3, secret_token: s3Secret.text }],
  ['S3 with lists for texts', 'AWS_S3', { ...s3, aws_secret_access_key: [s3Secret.text], aws_access_key_id: { id: s3Id.text } }],
  ['S3 whose region is the key', 'AWS_S3', { ...s3, region: s3Secret.text }],
  ['S3 whose endpoint has a user', 'AWS_S3', { ...s3, endpoint: `https://x:${encodeURIComponent(s3Secret.text)}@example.com` }],
  ['Azure', 'AZURE_BLOB', { ...azure, endpoint: `${endpoint}/acme` }],
  ['Azure that breaks', 'AZURE_BLOB', { ...azure, endpoint: `${endpoint}/acme` }, 'broken'],
  ['Azure by a connection string', 'AZURE_BLOB', { connection_string: connection }],
  ['Azure by half a connection string', 'AZURE_BLOB', { connection_string: `AccountKey=${azureString.text}` }],
  ['Azure in both ways', 'AZURE_BLOB', { ...azure, connection_string: connection }],
  ['Azure with a key that is no base64', 'AZURE_BLOB', { ...azure, account_key: s3Secret.text }],
  ['Google', 'GCP_STORAGE', { ...gcs, endpoint }],
  ['Google with half a key', 'GCP_STORAGE', { ...gcs, private_key: pem.slice(0, 900) }],
  ['the local disk', 'LOCAL_FS', { ...s3 }],
  ['what is no object', 'AWS_S3', [s3Secret.text, azureKey.text] as object],
];

/** What answers are asked for: all that could hold a secret. */
export const storageFields =
  '{ __typename ... on Storage { id name credentials config } ... on Error { code message } ... on ValidationError { fields { path message } } }';
export const checks =
  '{ __typename ... on CredentialTest { success checks { name ok detail } } ... on Error { code message } ... on ValidationError { fields { path message } } }';
export const shareFields =
  '{ __typename ... on Share { id token version hasPassword } ... on Error { code message } ... on ValidationError { fields { path message } } }';
