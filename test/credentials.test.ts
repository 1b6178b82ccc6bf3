import { describe, expect, test } from 'vitest';
import { parseCredentials } from '../src/blob/credentials.js';
import { ValidationError } from '../src/errors.js';

const s3 = { region: 'eu-central-1', aws_access_key_id: 'AKIA', aws_secret_access_key: 'secret' };
const gcs = { project_id: 'project', client_email: 'a@project.iam.gserviceaccount.com', private_key: 'no key' };
const ascii = 'must be printable ASCII without spaces';

/** What is wrong, and is told before any store is asked. */
describe('credentials that no store could take', () => {
  test.each([
    ['AWS_S3', { ...s3, aws_access_key_id: 'AKIA…' }, 'aws_access_key_id', ascii],
    ['AWS_S3', { ...s3, aws_access_key_id: 'AKIA\r\nx: y' }, 'aws_access_key_id', ascii],
    ['AWS_S3', { ...s3, aws_secret_access_key: 'sécret' }, 'aws_secret_access_key', ascii],
    ['AWS_S3', { ...s3, region: 'eu/../x' }, 'region', 'must be a region such as eu-central-1'],
    ['AWS_S3', { ...s3, endpoint: 'https://user:pass@minio.lan' }, 'endpoint', /^must be an address/],
    ['GCP_STORAGE', gcs, 'private_key', /^must be an RSA private key in PEM format/],
    ['AZURE_BLOB', { account_name: 'acme', account_key: '…' }, 'account_key', 'must be base64'],
    ['AZURE_BLOB', { account_name: 'Acme!', account_key: 'a2V5' }, 'account_name', 'must be lower-case letters and digits'],
    ['LOCAL_FS', { password: 'x' }, 'password', /^is not known/],
  ] as const)('%s, %o: %s %s', (provider, credentials, field, message) => {
    const act = () => parseCredentials(provider, credentials);
    expect(act).toThrow(ValidationError);
    const told = typeof message === 'string' ? message : expect.stringMatching(message);
    expect(act).toThrow(expect.objectContaining({ fields: [{ path: `credentials.${field}`, message: told }] }));
  });

  test('whitespace around a key that was pasted is no part of it', () => {
    expect(parseCredentials('AWS_S3', { ...s3, aws_access_key_id: ' AKIA\n' })).toEqual(s3);
  });
});
