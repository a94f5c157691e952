import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DeleteBucketPolicyCommand, PutBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3'
import type { RunningVersitygw } from '../../scripts/servers/versitygw.js'

const run = promisify(execFile)

/** All that the storage asks for. */
export const BUCKET_RIGHTS = ['s3:ListBucket', 's3:ListBucketMultipartUploads']
export const OBJECT_RIGHTS = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload']

/** What a user may do with objects whose names begin so. */
export interface ObjectRights {
  readonly actions: readonly string[]
  readonly prefix?: string
}

/** Makes a user without any rights, and gives the key. */
export async function createUser(gateway: RunningVersitygw): Promise<RunningVersitygw['credentials']> {
  const { program, endpoint, region, credentials } = gateway
  const user = { accessKeyId: 'exporter', secretAccessKey: 'secret-of-the-exporter' }
  const server = ['admin', '--access', credentials.accessKeyId, '--secret', credentials.secretAccessKey]
  const place = ['--endpoint-url', endpoint, '--region', region, 'create-user', '--role', 'user']
  await run(program, [...server, ...place, '--access', user.accessKeyId, '--secret', user.secretAccessKey])
  return user
}

/** Says what a user may do in a bucket from now on. */
export async function allow(
  client: S3Client,
  bucket: string,
  user: string,
  rights: readonly ObjectRights[],
): Promise<void> {
  const statement = (Action: readonly string[], Resource: string) => ({
    ...{ Effect: 'Allow', Principal: { AWS: [user] }, Action, Resource: `arn:aws:s3:::${Resource}` },
  })
  const Statement = [
    statement(BUCKET_RIGHTS, bucket),
    ...rights.map(({ actions, prefix = '' }) => statement(actions, `${bucket}/${prefix}*`)),
  ]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
}

/** Takes all rights away. */
export async function revoke(client: S3Client, bucket: string): Promise<void> {
  await client.send(new DeleteBucketPolicyCommand({ Bucket: bucket }))
}
