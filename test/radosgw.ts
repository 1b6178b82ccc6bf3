import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { CreateBucketCommand, ListMultipartUploadsCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Credentials } from '../src/blob/credentials.js';

const run = promisify(execFile);

/** The S3 server that CI starts (.ci/radosgw.sh). */
export interface Radosgw {
  endpoint: string;
  /** "127.0.0.1:27480", as STORAGE_HOSTS takes it. */
  host: string;
  /** Of the user who owns every bucket that makeBucket makes. */
  admin: S3Credentials;
}

const { TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY = '', TEST_S3_SECRET_KEY = '', TEST_S3_CONF = '' } = process.env;

/** Null where no gateway runs: tests that need one are gated on it. */
export const radosgw: Radosgw | null = TEST_S3_ENDPOINT
  ? {
      endpoint: TEST_S3_ENDPOINT,
      host: new URL(TEST_S3_ENDPOINT).host,
      admin: credentialsOf(TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY),
    }
  : null;

function credentialsOf(key: string, secret: string): S3Credentials {
  return { region: 'us-east-1', aws_access_key_id: key, aws_secret_access_key: secret, endpoint: TEST_S3_ENDPOINT };
}

/** A client of the SDK itself, for what Docgate's own interface has no word for. */
export const clientOf = (credentials: S3Credentials) =>
  new S3Client({
    region: credentials.region,
    endpoint: credentials.endpoint,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: credentials.aws_access_key_id, secretAccessKey: credentials.aws_secret_access_key },
  });

/** A new, empty bucket of the admin's. */
export async function makeBucket(): Promise<string> {
  const bucket = `t${randomBytes(8).toString('hex')}`;
  await withAdmin((client) => client.send(new CreateBucketCommand({ Bucket: bucket })));
  return bucket;
}

/** How many uploads in parts are under way in a bucket. */
export async function countUploads(bucket: string): Promise<number> {
  let count = 0;
  await withAdmin(async (client) => {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    count = Uploads.length;
  });
  return count;
}

/** A new user, who owns nothing. */
export async function makeUser(): Promise<{ uid: string; credentials: S3Credentials }> {
  const uid = `u${randomBytes(6).toString('hex')}`;
  const secret = randomBytes(20).toString('hex');
  const keys = ['--access-key', uid.toUpperCase(), '--secret-key', secret];
  await run('radosgw-admin', ['-c', TEST_S3_CONF, 'user', 'create', '--uid', uid, '--display-name', uid, ...keys]);
  return { uid, credentials: credentialsOf(uid.toUpperCase(), secret) };
}

/** What a storage needs on its bucket. Leave one out to see who notices. */
export const storageRights = [
  's3:PutObject',
  's3:GetObject',
  's3:DeleteObject',
  's3:ListBucket',
  's3:AbortMultipartUpload',
  's3:ListMultipartUploadParts',
];

/** A new user who may do these things in the bucket and nothing else. */
export async function makeUserWith(rights: string[], bucket: string): Promise<S3Credentials> {
  const { uid, credentials } = await makeUser();
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: [`arn:aws:iam:::user/${uid}`] },
    Action: rights,
    Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
  };
  // What a user wrote is the user's own there, to be read whatever the bucket grants.
  const denied = storageRights.filter((right) => !rights.includes(right));
  const denial = { ...statement, Effect: 'Deny', Action: denied };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: denied.length > 0 ? [statement, denial] : [statement] });
  await withAdmin((client) => client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy })));
  return credentials;
}

async function withAdmin(work: (client: S3Client) => Promise<unknown>): Promise<void> {
  const client = clientOf(credentialsOf(TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY));
  await work(client).finally(() => client.destroy());
}
