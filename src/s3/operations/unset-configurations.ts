/**
 * Configurations that cannot be set yet, and so are not: what Amazon answers for a bucket that never had them. s3cmd, mc and Terraform ask for all of
 * them. Deleting one that is not there goes well, as at Amazon; setting one is NotImplemented (they stand in the table of operations without a definition).
 * Sources: Amazon S3 API Reference, the pages of the operations.
 */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Code, type S3Failure, s3Failure } from '../errors.ts'
import { type AnyOperation, define } from '../operation.ts'
import { xmlDocument } from '../xml.ts'
import { namedVersion } from './arguments.ts'
import { findObject } from './versions.ts'

type Answer =
  | { readonly kind: 'error'; readonly code: S3Code }
  | { readonly kind: 'document'; readonly root: string; readonly content: string }

const error = (code: S3Code): Answer => ({ kind: 'error', code })
const document = (root: string, content = ''): Answer => ({ kind: 'document', root, content })
const NONE_LISTED = '<IsTruncated>false</IsTruncated>'

type Row = readonly [name: string, subresource: string, answer: Answer, permission: string, selector?: 'id']

const READ: readonly Row[] = [
  ['GetBucketPolicy', 'policy', error('NoSuchBucketPolicy'), 's3:GetBucketPolicy'],
  ['GetBucketPolicyStatus', 'policyStatus', error('NoSuchBucketPolicy'), 's3:GetBucketPolicyStatus'],
  ['GetBucketCors', 'cors', error('NoSuchCORSConfiguration'), 's3:GetBucketCORS'],
  ['GetBucketLifecycleConfiguration', 'lifecycle', error('NoSuchLifecycleConfiguration'), 's3:GetLifecycleConfiguration'],
  ['GetBucketReplication', 'replication', error('ReplicationConfigurationNotFoundError'), 's3:GetReplicationConfiguration'],
  ['GetBucketEncryption', 'encryption', error('ServerSideEncryptionConfigurationNotFoundError'), 's3:GetEncryptionConfiguration'],
  ['GetBucketWebsite', 'website', error('NoSuchWebsiteConfiguration'), 's3:GetBucketWebsite'],
  ['GetObjectLockConfiguration', 'object-lock', error('ObjectLockConfigurationNotFoundError'), 's3:GetBucketObjectLockConfiguration'],
  ['GetPublicAccessBlock', 'publicAccessBlock', error('NoSuchPublicAccessBlockConfiguration'), 's3:GetBucketPublicAccessBlock'],
  ['GetBucketLogging', 'logging', document('BucketLoggingStatus'), 's3:GetBucketLogging'],
  ['GetBucketNotificationConfiguration', 'notification', document('NotificationConfiguration'), 's3:GetBucketNotification'],
  ['GetBucketAccelerateConfiguration', 'accelerate', document('AccelerateConfiguration'), 's3:GetAccelerateConfiguration'],
  [
    'GetBucketRequestPayment',
    'requestPayment',
    document('RequestPaymentConfiguration', '<Payer>BucketOwner</Payer>'),
    's3:GetBucketRequestPayment',
  ],
  ['GetBucketAnalyticsConfiguration', 'analytics', error('NoSuchConfiguration'), 's3:GetAnalyticsConfiguration', 'id'],
  [
    'GetBucketIntelligentTieringConfiguration',
    'intelligent-tiering',
    error('NoSuchConfiguration'),
    's3:GetIntelligentTieringConfiguration',
    'id',
  ],
  ['GetBucketInventoryConfiguration', 'inventory', error('NoSuchConfiguration'), 's3:GetInventoryConfiguration', 'id'],
  ['GetBucketMetricsConfiguration', 'metrics', error('NoSuchConfiguration'), 's3:GetMetricsConfiguration', 'id'],
  [
    'ListBucketAnalyticsConfigurations',
    'analytics',
    document('ListBucketAnalyticsConfigurationsResult', NONE_LISTED),
    's3:GetAnalyticsConfiguration',
  ],
  [
    'ListBucketIntelligentTieringConfigurations',
    'intelligent-tiering',
    document('ListBucketIntelligentTieringConfigurationsOutput', NONE_LISTED),
    's3:GetIntelligentTieringConfiguration',
  ],
  [
    'ListBucketInventoryConfigurations',
    'inventory',
    document('ListInventoryConfigurationsResult', NONE_LISTED),
    's3:GetInventoryConfiguration',
  ],
  ['ListBucketMetricsConfigurations', 'metrics', document('ListMetricsConfigurationsResult', NONE_LISTED), 's3:GetMetricsConfiguration'],
]

/** What can be taken away although it is not there: 204. */
const REMOVED: readonly (readonly [name: string, subresource: string, permission: string])[] = [
  ['DeleteBucketPolicy', 'policy', 's3:DeleteBucketPolicy'],
  ['DeleteBucketCors', 'cors', 's3:PutBucketCORS'],
  ['DeleteBucketLifecycle', 'lifecycle', 's3:PutLifecycleConfiguration'],
  ['DeleteBucketReplication', 'replication', 's3:PutReplicationConfiguration'],
  ['DeleteBucketEncryption', 'encryption', 's3:PutEncryptionConfiguration'],
  ['DeleteBucketWebsite', 'website', 's3:DeleteBucketWebsite'],
  ['DeletePublicAccessBlock', 'publicAccessBlock', 's3:PutBucketPublicAccessBlock'],
]

const reader = ([name, subresource, answer, permission, selector]: Row): AnyOperation =>
  define<undefined, string>({
    name,
    resource: 'bucket',
    method: 'GET',
    selectors: selector === undefined ? [subresource] : [subresource, selector],
    permission,
    parameters: selector === undefined ? ['continuation-token'] : [],
    headers: [],
    parse: () => ok(undefined),
    async run({ bucket }) {
      if (answer.kind === 'document') return ok(xmlDocument(answer.root, answer.content))
      return fail(s3Failure(answer.code, answer.code === 'NoSuchConfiguration' ? undefined : { elements: { BucketName: bucket.name } }))
    },
    render: (text) => ({ status: 200, headers: [], body: { kind: 'xml', text } }),
  })

const remover = ([name, subresource, permission]: (typeof REMOVED)[number]): AnyOperation =>
  define<undefined, undefined>({
    name,
    resource: 'bucket',
    method: 'DELETE',
    selectors: [subresource],
    permission,
    parameters: [],
    headers: [],
    parse: () => ok(undefined),
    run: async () => ok(undefined),
    render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
  })

/** Retention and legal hold of an object in a bucket without object lock. Errors: NoSuchKey and the like, InvalidRequest. */
const lockReader = (name: string, subresource: string): AnyOperation =>
  define<{ readonly key: string; readonly versionId: string | undefined }, never>({
    name,
    resource: 'object',
    method: 'GET',
    selectors: [subresource],
    permission: `s3:${name}`,
    parameters: ['versionId'],
    headers: ['x-amz-request-payer'],
    parse(request) {
      const versionId = namedVersion(request)
      return versionId.ok ? ok({ key: request.key, versionId: versionId.value }) : versionId
    },
    async run(context, { key, versionId }): Promise<Result<never, S3Failure>> {
      const found = await findObject(context, key, versionId)
      return found.ok ? fail(s3Failure('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' })) : found
    },
    render: (never) => never,
  })

export const unsetConfigurations: readonly AnyOperation[] = [
  ...READ.map(reader),
  ...REMOVED.map(remover),
  lockReader('GetObjectRetention', 'retention'),
  lockReader('GetObjectLegalHold', 'legal-hold'),
]
