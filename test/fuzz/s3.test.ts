/** Whatever a client with the right keys sends, the operations answer: on a real store, no request ends in InternalError, and the next one is served. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rootIdentities } from '../../src/iam/identities.ts'
import { createS3Handler } from '../../src/s3/handler.ts'
import { operations } from '../../src/s3/operations/index.ts'
import { seeded } from '../bundles/seeded.ts'
import { ACCESS_KEY, type Answer, EXAMPLE_MS, SECRET_KEY, type Sent, type Site, send, sign } from '../s3/road-fixture.ts'
import { SimulatedSite } from '../store/local/simulated-site.ts'

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

async function served(): Promise<{ readonly site: Site; readonly ask: (sent: Sent) => Promise<Answer> }> {
  const simulated = await SimulatedSite.make({ seed: 5, disks: 1, parity: 0 })
  const unforeseen: unknown[] = []
  const handler = createS3Handler({
    store: simulated.store,
    operations,
    identities: rootIdentities({ accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, ownerId: 'a'.repeat(64) }),
    region: 'us-east-1',
    domains: ['localhost'],
    clock: { nowMs: () => EXAMPLE_MS, timer: () => () => undefined },
    random: { bytes: (count) => new Uint8Array(count).fill(7) },
    log: (event) => unforeseen.push(event.error),
  })
  const site: Site = { handler, stored: new Map(), aborted: { count: 0 }, leases: { open: 0 }, unforeseen }
  return { site, ask: (sent) => simulated.run(send(site, sign(sent))) }
}

/** What bodies are made of: the names that operations look for, in any order and depth, with texts that are right, almost right or wild. */
const names = [
  ...['Delete', 'Object', 'Key', 'VersionId', 'Quiet', 'ETag', 'Size', 'LastModifiedTime'],
  ...['CompleteMultipartUpload', 'Part', 'PartNumber', 'ChecksumCRC32', 'ChecksumSHA256', 'ChecksumXXHASH64'],
  ...['Tagging', 'TagSet', 'Tag', 'Value', 'VersioningConfiguration', 'Status', 'MfaDelete'],
  ...[
    'CreateBucketConfiguration',
    'LocationConstraint',
    'Location',
    'Tags',
    'AccessControlPolicy',
    'Owner',
    'ID',
    'AccessControlList',
    'Grant',
  ],
]
const texts = fc.oneof(
  fc.constantFrom(
    'key',
    'null',
    'true',
    'false',
    'Enabled',
    'Suspended',
    'us-east-1',
    '1',
    '0',
    '-1',
    '10001',
    '"x"',
    '',
    '&lt;',
    '&#0;',
    '%00',
    'é',
  ),
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => text.replace(/[<&]/g, '')),
)
const tree = fc.letrec<{ node: string }>((tie) => ({
  node: fc
    .tuple(
      fc.constantFrom(...names),
      fc.oneof(
        { depthSize: 'small' },
        texts,
        fc.array(tie('node'), { maxLength: 4 }).map((all) => all.join('')),
      ),
    )
    .map(([name, inside]) => `<${name}>${inside}</${name}>`),
})).node
const root = fc
  .tuple(
    fc.constantFrom('Delete', 'CompleteMultipartUpload', 'Tagging', 'VersioningConfiguration', 'CreateBucketConfiguration', 'x'),
    fc.array(tree, { maxLength: 5 }),
  )
  .map(([name, inside]) => `<${name} ${NAMESPACE}>${inside.join('')}</${name}>`)
const body = fc.oneof(root, tree, fc.string({ maxLength: 20 }), fc.constant('')).map((text) => [Buffer.from(text)])

const value = fc.oneof(
  fc.constantFrom(
    '',
    '1',
    '0',
    '-1',
    '1000',
    'null',
    'key',
    'url',
    'ETag',
    '*',
    '"a"',
    'a=b',
    'bytes=0-',
    'bytes=-5',
    'bytes=9-1',
    '%2Fbucket%2Fkey',
  ),
  fc.constantFrom(
    'COPY',
    'REPLACE',
    'CRC32',
    'SHA256',
    'FULL_OBJECT',
    'AAAAAA==',
    'private',
    'STANDARD',
    'Fri, 24 May 2013 00:00:00 GMT',
    'x'.repeat(1025),
  ),
  fc.stringMatching(/^[A-Za-z0-9._~-]{0,8}$/),
)
/** All parameters and headers that operations know, and some that none does. */
const understood = (field: 'parameters' | 'headers' | 'selectors'): string[] => [
  ...new Set(operations.flatMap((operation) => operation[field]).map((name) => name.replace('*', 'x').split('=')[0] ?? '')),
]
const query = fc
  .tuple(
    fc.option(fc.constantFrom(...understood('selectors')), { nil: undefined }),
    fc.dictionary(fc.constantFrom(...understood('parameters'), 'unknown'), value, { maxKeys: 2 }),
    fc.constantFrom('1', '2', '10000', 'x'),
  )
  .map(([selector, given, number]) =>
    // "partNumber" and "uploadId" select together.
    [
      ...(selector === undefined
        ? []
        : [[selector, selector === 'partNumber' ? number : 'x'], ...(selector === 'partNumber' ? [['uploadId', 'x']] : [])]),
      ...Object.entries(given).filter(([name]) => name !== selector),
    ]
      .map(([name = '', text = '']) => `${name}=${encodeURIComponent(text)}`)
      .sort()
      .join('&'),
  )
const SPECIAL = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'range',
  'content-md5',
  'content-encoding',
  'expires',
  'x-amz-copy-source',
]
const headers = fc.dictionary(fc.constantFrom(...new Set([...understood('headers'), ...SPECIAL])), value, { maxKeys: 3 })
const seldom = <T>(often: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof(fc.constant(often), other)
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE'),
  path: fc.constantFrom(
    '/',
    '/bucket',
    '/bucket/key',
    '/bucket/key',
    '/bucket/key%2F..',
    '/bucket/other',
    '/nowhere',
    '/nowhere/key',
    '/new-one',
  ),
  query: seldom('', query),
  headers: seldom({}, headers),
  body,
})

test('any signed request is answered, and none by InternalError', { timeout: 60_000 }, async () => {
  const { site, ask } = await served()
  expect((await ask({ method: 'PUT', path: '/bucket' })).status).toBe(200)
  expect((await ask({ method: 'PUT', path: '/bucket/key', body: [Buffer.alloc(100, 'x')] })).status).toBe(200)
  // The bucket is never empty, so that it stays: no request above names this key.
  expect((await ask({ method: 'PUT', path: '/bucket/kept', body: [Buffer.from('x')] })).status).toBe(200)
  const begun = await ask({ method: 'POST', path: '/bucket/key', query: 'uploads=' })
  const uploadId = /<UploadId>([^<]+)</.exec(begun.text)?.[1] ?? ''
  expect(uploadId).not.toBe('')
  const seen = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(request, async (sent) => {
      const answer = await ask({ ...sent, query: sent.query.replace(/uploadId=\w+/, `uploadId=${uploadId}`) })
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
      expect(site.unforeseen).toEqual([])
      expect(answer.status).not.toBe(500)
    }),
    seeded({ numRuns: 4000 }),
  )
  // Not all are refused at the door.
  for (const status of [200, 204, 400, 404]) expect(seen.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(50)
  expect((await ask({ method: 'PUT', path: '/last-one' })).status).toBe(200)
  expect((await ask({ method: 'PUT', path: '/last-one/key', body: [Buffer.from('after')] })).status).toBe(200)
  expect((await ask({ method: 'GET', path: '/last-one/key' })).text).toBe('after')
})
