import * as sdk from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ALL_OPERATIONS } from '../../src/s3/all-operations.ts'
import { OperationTable } from '../../src/s3/operation-table.ts'
import { operations } from '../../src/s3/operations/index.ts'
import { exampleSite, send, sign } from './road-fixture.ts'

/** Of S3 Express and Object Lambda, which have endpoints of their own. */
const ELSEWHERE = ['ListDirectoryBuckets', 'WriteGetObjectResponse']

/** How the SDK's model says an operation: method, "/{Key+}?uploads", and the query parameters of its input. */
function sdkOperations(): { readonly name: string; readonly method: string; readonly uri: string }[] {
  const found: { name: string; method: string; uri: string }[] = []
  for (const schema of Object.values(sdk) as unknown[]) {
    if (!Array.isArray(schema) || schema[0] !== 9) continue
    const traits = Object.values(schema[3] as object) as unknown[]
    const http = traits.find((trait): trait is [string, string, number] => Array.isArray(trait) && trait.length === 3)
    found.push({ name: schema[2] as string, method: http?.[0] ?? '', uri: http?.[1] ?? '' })
  }
  return found
}

test('the table knows every operation of the SDK, by the method and subresource that the SDK sends', () => {
  const operations = sdkOperations().filter(({ name }) => !ELSEWHERE.includes(name))
  expect(operations.length).toBeGreaterThan(100)
  const rows = new Map(ALL_OPERATIONS.map((row) => [row[0], row]))
  for (const { name, method, uri } of operations) {
    const row = rows.get(name)
    expect(row?.slice(0, 3), name).toEqual([
      name,
      uri.startsWith('/{Key+}') ? 'object' : name === 'ListBuckets' ? 'service' : 'bucket',
      method,
    ])
    const selectors = (uri.split('?')[1] ?? '').split('&').filter((selector) => selector !== '' && !selector.startsWith('x-id='))
    for (const selector of selectors) expect(row?.[3].split(' '), name).toContain(selector)
  }
})

test('each operation is found by what selects it, and no two by the same', () => {
  const table = new OperationTable([])
  expect(table.entries.length).toBe(ALL_OPERATIONS.length)
  for (const entry of table.entries) {
    const query = new Map(entry.selectors.map(({ name, value }) => [name, value ?? '']))
    const headers = new Map(entry.selectorHeaders.map((name) => [name, 'x']))
    const found = table.find(entry.resource, { method: entry.method, query, headers })
    expect(found.ok && found.value.name).toBe(entry.name)
  }
})

test.each([
  ['GET', '', 'torrent', 'GetObjectTorrent'],
  ['PUT', '', 'retention', 'PutObjectRetention'],
  ['POST', '', 'select&select-type=2', 'SelectObjectContent'],
  ['PUT', '', 'partNumber=1&uploadId=x', 'UploadPart'],
])('an operation that is not built says its name: %s %s?%s', async (method, _, query, name) => {
  const canonical = query
    .split('&')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .join('&')
  const answer = await send(exampleSite(), sign({ method, path: '/examplebucket/key', query: canonical, body: [] }))
  expect(answer).toMatchObject({ status: 501, code: 'NotImplemented' })
  expect(answer.text).toContain(`<Operation>${name}</Operation>`)
})

test('a subresource without that method is not taken for the whole bucket', async () => {
  const site = exampleSite()
  const answer = await send(site, sign({ method: 'DELETE', path: '/examplebucket', query: 'acl=' }))
  expect(answer).toMatchObject({ status: 405, code: 'MethodNotAllowed' })
  expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'PUT'])
  expect((await send(site, sign({ method: 'PATCH', path: '/examplebucket/key' }))).code).toBe('MethodNotAllowed')
})

test('nothing with an effect is silently ignored', async () => {
  const site = exampleSite()
  const attempt = (query: string, headers: Record<string, string> = {}) => send(site, sign({ path: '/examplebucket', query, headers }))
  const header = await attempt('', { 'x-amz-server-side-encryption': 'AES256' })
  expect(header.text).toContain(
    '<Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message><Header>x-amz-server-side-encryption</Header>',
  )
  expect((await attempt('continuation-token=x')).text).toContain('<Parameter>continuation-token</Parameter>')
  expect((await attempt('list-type=3')).text).toContain('Invalid List Type specified in Request')
  const conflict = await send(site, sign({ method: 'PUT', path: '/examplebucket', query: 'acl=&versioning=', body: [] }))
  expect(['InvalidArgument', 'NotImplemented']).toContain(conflict.code)
  for (const misplaced of ['uploadId=x', 'attributes=', 'torrent='])
    expect((await attempt(misplaced)).code, misplaced).toBe('NotImplemented')
  for (const harmless of ['x-id=ListObjects', 'foo=bar&prefix=a']) expect((await attempt(harmless)).status, harmless).toBe(200)
  expect(
    (await attempt('', { 'x-amz-user-agent': 'aws-sdk-js', 'amz-sdk-invocation-id': '1', 'x-amz-request-payer': 'requester' })).status,
  ).toBe(200)
})

test('headers beyond eight kibibytes are refused', async () => {
  const answer = await send(exampleSite(), sign({ path: '/examplebucket', headers: { 'x-long': 'd'.repeat(8192) } }))
  expect(answer).toMatchObject({ status: 400, code: 'RequestHeaderSectionTooLarge' })
  expect(answer.text).toContain('<MaxSizeAllowed>8192</MaxSizeAllowed>')
})

test('the expected owner of a bucket is honoured', async () => {
  const site = exampleSite()
  const attempt = (owner: string) => send(site, sign({ path: '/examplebucket', headers: { 'x-amz-expected-bucket-owner': owner } }))
  expect((await attempt('123456789012')).code).toBe('AccessDenied')
  expect((await attempt('me')).code).toBe('InvalidBucketOwnerAWSAccountID')
})

test.each([
  ['/Bad_Name', {}, 'InvalidBucketName'],
  ['/192.168.1.1/key', {}, 'InvalidBucketName'],
  ['/no-such-bucket', {}, 'NoSuchBucket'],
  ['/examplebucket/%ff', {}, 'InvalidURI'],
  ['/examplebucket/%zz', {}, 'InvalidURI'],
  ['/examplebucket/a%00b', {}, 'InvalidURI'],
  [`/examplebucket/${'%C3%A4'.repeat(513)}`, {}, 'KeyTooLongError'],
  [`/examplebucket/${'a'.repeat(1025)}`, {}, 'KeyTooLongError'],
  [`/examplebucket/${'%C3%A4'.repeat(512)}`, {}, 'NoSuchKey'],
  ['/key', { host: 'examplebucket.localhost:9000' }, 'NoSuchKey'],
  ['/key', { host: 'my.bucket.localhost' }, 'NoSuchKey'],
  ['/examplebucket/key', { host: '127.0.0.1:9000' }, 'NoSuchKey'],
  ['/examplebucket/key', { host: 'LOCALHOST' }, 'NoSuchKey'],
])('a request for %s (%j) is about what Amazon would take it for: %s', async (path, headers, code) => {
  expect((await send(exampleSite(), sign({ path, headers }))).code).toBe(code)
})

test('an error to HEAD has no document, only its status and ids', async () => {
  const site = exampleSite()
  const answer = await send(site, sign({ method: 'HEAD', path: '/examplebucket/key' }))
  expect(answer).toMatchObject({ status: 404, text: '' })
  expect(answer.headers.get('x-amz-request-id')).toMatch(/^[0-9A-F]{16}$/)
  expect(answer.headers.get('x-amz-id-2')).toMatch(/^[A-Za-z0-9+/=]{16,}$/)
})

test('what nobody foresaw is InternalError with an id that the log has too', async () => {
  const site = exampleSite()
  const answer = await send(site, sign({ method: 'HEAD', path: '/examplebucket/crash' }))
  expect(answer.status).toBe(500)
  expect(site.unforeseen).toEqual([new Error('a bug')])
  expect(site.leases.open).toBe(0)
})

test('a preflight request is refused as by a bucket without CORS configuration', async () => {
  const site = exampleSite()
  const headers = { origin: 'http://example.com', 'access-control-request-method': 'PUT' }
  const answer = await send(site, { method: 'OPTIONS', path: '/examplebucket/key', headers })
  expect(answer).toMatchObject({ status: 403, code: 'AccessForbidden' })
  expect(answer.text).toContain('<Method>PUT</Method><ResourceType>OBJECT</ResourceType>')
  expect((await send(site, { method: 'OPTIONS', path: '/examplebucket/key' })).code).toBe('BadRequest')
  const missing = await send(site, { method: 'OPTIONS', path: '/no-such-bucket/key', headers: { origin: 'http://example.com' } })
  expect(missing).toMatchObject({ status: 403, code: 'AccessForbidden' })
  expect(missing.text).toContain(
    '<Message>CORSResponse: Bucket not found</Message><Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>',
  )
  const odd = await send(site, {
    method: 'OPTIONS',
    path: '/examplebucket',
    headers: { ...headers, 'access-control-request-method': 'LINK' },
  })
  expect(odd.text).toContain('Invalid Access-Control-Request-Method: LINK')
  expect(site.leases.open).toBe(0)
})

test('what is built stands in the table of all operations, with the same facts', () => {
  const rows = new Map(ALL_OPERATIONS.map(([name, ...facts]) => [name, facts]))
  expect(operations.length).toBeGreaterThan(30)
  for (const { name, resource, method, selectors, selectorHeaders } of operations) {
    const [rowResource, rowMethod, rowSelectors, rowHeader] = rows.get(name) ?? []
    expect([name, rowResource, rowMethod, rowHeader]).toEqual([name, resource, method, selectorHeaders?.[0]])
    expect([name, [...selectors].sort()]).toEqual([
      name,
      (rowSelectors ?? '')
        .split(' ')
        .filter((selector) => selector !== '')
        .sort(),
    ])
  }
})

test('with what is built in it, the table still finds each operation by what selects it', () => {
  const table = new OperationTable(operations)
  for (const [name, resource, method, selectors, selectorHeader] of ALL_OPERATIONS) {
    const query = new Map(
      selectors
        .split(' ')
        .filter((selector) => selector !== '')
        .map((selector) => selector.split('='))
        .map(([key = '', value = '']) => [key, value]),
    )
    const found = table.find(resource, { method, query, headers: new Map(selectorHeader === undefined ? [] : [[selectorHeader, 'x']]) })
    expect(found.ok ? found.value.name : found.error).toBe(name)
  }
})

test.each([
  ['PUT', '/examplebucket/key', 'partNumber=1', {}, 'InvalidArgument', 'This operation does not accept partNumber without uploadId'],
  ['GET', '/examplebucket/key', 'uploads', {}, 'InvalidRequest', 'Key is not expected for the GET method ?uploads subresource'],
  ['GET', '/examplebucket/key', 'versions', {}, 'InvalidRequest', 'There is no such thing as the ?versions sub-resource for a key'],
  [
    'GET',
    '/examplebucket',
    '',
    { 'x-amz-copy-source': 'b/k' },
    'InvalidArgument',
    'You can only specify a copy source header for copy requests.',
  ],
  ['PUT', '/examplebucket/key', 'uploadId=x', {}, 'MethodNotAllowed', '<ResourceType>UPLOAD</ResourceType>'],
  ['POST', '/', '', {}, 'MethodNotAllowed', '<ResourceType>SERVICE</ResourceType>'],
])('%s %s?%s %j fits no operation, and anybody is told why', async (method, path, query, headers, code, words) => {
  const answer = await send(exampleSite(), { method, path, query, headers: headers as Record<string, string> })
  expect(answer.code).toBe(code)
  expect(answer.text).toContain(words)
})

test('no path, query or host makes the road stumble, signed or not', async () => {
  const site = exampleSite()
  const raw = fc.string({
    unit: fc.oneof(fc.constantFrom('/', '%', '&', '=', '+', '?', '..', '%2F', '%00', '%C3', 'acl', 'uploads'), fc.string({ maxLength: 2 })),
  })
  const latin1 = raw.map((text) => Buffer.from(text).toString('latin1'))
  await fc.assert(
    fc.asyncProperty(
      latin1,
      latin1,
      latin1,
      fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'LINK'),
      async (path, query, host, method) => {
        for (const sent of [
          { method, path: `/${path}`, query },
          sign({ method, path: `/examplebucket/${path}`, query, headers: { host } }),
        ]) {
          const answer = await send(site, sent)
          expect(answer.status).not.toBe(500)
        }
      },
    ),
    { numRuns: 500 },
  )
  expect(site.unforeseen).toEqual([])
  expect(site.leases.open).toBe(0)
})
