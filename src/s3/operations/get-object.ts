/** GetObject, HeadObject. Sources: Amazon S3 API Reference, the pages of those names. */
import { fail, ok, type Result } from '../../result.ts'
import type { ObjectVersion, Part } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { type AnyOperation, type Context, define, type OperationDefinition, type S3Reply, type S3Request } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { invalidArgument, namedVersion, partNumber } from './arguments.ts'
import { partChecksumHeaders } from './checksums.ts'
import { checkRead, holdsRange, type ReadConditions, readConditions } from './conditions.ts'
import { type BegunContent, beginContent, contentSource } from './content-source.ts'
import { pushChecksum, RESPONSE_OVERRIDES, storedHeaders, versionHeaders } from './object-headers.ts'
import { type ByteRange, contentRange, rangeOf } from './ranges.ts'
import { findObject, showsVersions } from './versions.ts'

type Input = {
  readonly key: string
  readonly versionId: string | undefined
  readonly conditions: ReadConditions | undefined
  readonly range: string | undefined
  readonly ifRange: string | undefined
  readonly partNumber: number | undefined
  readonly overrides: ReadonlyMap<string, string> | undefined
  readonly wantsChecksum: boolean
}
type Output = {
  readonly version: ObjectVersion
  readonly shown: boolean
  /** Undefined: the whole, with status 200. */
  readonly range: ByteRange | undefined
  readonly part: PartFound | undefined
  readonly input: Input
  readonly content: BegunContent | undefined
}
type PartFound = { readonly part: Part | undefined; readonly range: ByteRange; readonly partCount: number }

function parse(request: S3Request): Result<Input, S3Failure> {
  const { query } = request
  const sent = request.http.headers
  const versionId = namedVersion(request)
  if (!versionId.ok) return versionId
  const range = sent.get('range')
  const number = query.get('partNumber')
  const part: Result<number | undefined, S3Failure> = number === undefined ? ok(undefined) : partNumber(number)
  if (!part.ok) return part
  if (part.value !== undefined && range !== undefined)
    return fail(s3Failure('InvalidRequest', { message: 'Cannot specify both Range header and partNumber query parameter' }))
  for (const name of query.keys()) {
    if (name.startsWith('response-') && !RESPONSE_OVERRIDES.includes(name)) return fail(notOverridable(name, query.get(name) ?? ''))
  }
  const overrides = query.size > 0 && RESPONSE_OVERRIDES.some((name) => query.has(name)) ? query : undefined
  if (overrides !== undefined && !isSigned(request)) {
    const message = 'Request specific response headers cannot be used for anonymous GET requests.'
    return fail(s3Failure('InvalidRequest', { message }))
  }
  for (const name of overrides === undefined ? [] : RESPONSE_OVERRIDES) {
    const value = query.get(name)
    if (value !== undefined && !HEADER_VALUE.test(value))
      return fail(invalidArgument(name, value, 'Header value cannot be represented using ISO-8859-1.'))
  }
  const mode = sent.get('x-amz-checksum-mode')
  return ok({
    key: request.key,
    versionId: versionId.value,
    conditions: readConditions(request),
    range,
    ifRange: sent.get('if-range'),
    partNumber: part.value,
    overrides,
    wantsChecksum: mode !== undefined && mode.toUpperCase() === 'ENABLED',
  })
}

const notOverridable = (name: string, value: string): S3Failure =>
  invalidArgument(
    name,
    value,
    `${name} is not in the set of overridable response headers. Please refer to the S3 API documentation for a complete list of overridable response headers.`,
  )

/** A reply has no other characters for it: RFC 9110, 5.5. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const isSigned = (request: S3Request): boolean =>
  request.http.headers.has('authorization') || request.query.has('X-Amz-Signature') || request.query.has('Signature')

/** What is to be sent: everything but the bytes. */
async function choose(context: Context, input: Input): Promise<Result<Omit<Output, 'content'>, S3Failure>> {
  const found = await findObject(context, input.key, input.versionId)
  if (!found.ok) return found
  const version = found.value
  const shown = showsVersions(context.bucket)
  if (input.conditions !== undefined) {
    const headers = versionHeaders(version, shown)
    storedHeaders(headers, version, undefined)
    const held = checkRead(
      input.conditions,
      version,
      context.clock.nowMs(),
      headers.filter(([name]) => KEPT_IN_304.has(name)),
    )
    if (!held.ok) return held
  }
  if (input.partNumber !== undefined) {
    const part = await findPart(context, version, input.partNumber)
    return part.ok ? ok({ version, shown, range: part.value.range, part: part.value, input }) : part
  }
  if (input.range === undefined || !holdsRange(input.ifRange, version))
    return ok({ version, shown, range: undefined, part: undefined, input })
  const range = rangeOf(input.range, version.bytes)
  return range.ok ? ok({ version, shown, range: range.value, part: undefined, input }) : range
}

/** RFC 9110, 15.4.5. */
const KEPT_IN_304 = new Set(['etag', 'last-modified', 'cache-control', 'expires', 'x-amz-version-id'])

/** Where a part lies in the object. An object uploaded in one piece is its own part 1. Error: InvalidPartNumber. */
async function findPart(context: Context, version: ObjectVersion, number: number): Promise<Result<PartFound, S3Failure>> {
  if (version.partCount === 0 && number === 1) return ok({ part: undefined, range: { from: 0, to: version.bytes }, partCount: 0 })
  let from = 0
  let after = 0
  while (version.partCount > 0) {
    const page = await context.store.parts(version, after, 1000)
    for (const part of page) {
      if (part.number === number) return ok({ part, range: { from, to: from + part.bytes }, partCount: version.partCount })
      from += part.bytes
    }
    const last = page.at(-1)
    if (last === undefined || last.number > number) break
    after = last.number
  }
  const elements = { ActualPartCount: Math.max(1, version.partCount), PartNumberRequested: number }
  return fail(s3Failure('InvalidPartNumber', { elements }))
}

function headersOf({ version, shown, range, part, input }: Output): (readonly [string, string])[] {
  const headers = versionHeaders(version, shown)
  headers.push(['accept-ranges', 'bytes'])
  storedHeaders(headers, version, input.overrides)
  // A range of no bytes (part 1 of an empty object) has no Content-Range that could be written.
  if (range !== undefined && range.to > range.from) headers.push(['content-range', contentRange(range, version.bytes)])
  if (part !== undefined && part.partCount > 0) headers.push(['x-amz-mp-parts-count', String(part.partCount)])
  if (input.wantsChecksum) {
    // Clients check what they get against this, so what is less than the whole goes without, but for a part of a composite checksum.
    if (part?.part !== undefined && version.checksum?.type === 'COMPOSITE') headers.push(...partChecksumHeaders(part.part))
    else if (range === undefined || range.to - range.from === version.bytes) pushChecksum(headers, version)
  }
  return headers
}

const facts = {
  resource: 'object',
  selectors: [],
  permission: 's3:GetObject',
  parameters: ['versionId', 'partNumber', ...RESPONSE_OVERRIDES],
  headers: ['x-amz-checksum-mode', 'x-amz-request-payer'],
  parse,
} as const satisfies Partial<OperationDefinition<Input, Output>>

/**
 * Errors: NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker), InvalidRange, InvalidPartNumber, PreconditionFailed, NotModified; those of a
 * store that can't read.
 */
export const getObject: AnyOperation = define<Input, Output>({
  ...facts,
  name: 'GetObject',
  method: 'GET',
  async run(context, input) {
    const chosen = await choose(context, input)
    if (!chosen.ok) return chosen
    const { version, range } = chosen.value
    const from = range?.from ?? 0
    const to = range?.to ?? version.bytes
    if (to === from) return ok({ ...chosen.value, content: undefined })
    const content = await beginContent(context.store.read(version, from, to))
    return content.ok ? ok({ ...chosen.value, content: content.value }) : fail(storeFailure(content.error))
  },
  render(output): S3Reply {
    const { version, range, content } = output
    const bytes = range === undefined ? version.bytes : range.to - range.from
    const status = range === undefined ? 200 : 206
    if (content === undefined) return { status, headers: headersOf(output), body: { kind: 'none' } }
    return { status, headers: headersOf(output), body: { kind: 'stream', bytes, source: contentSource(content) } }
  },
})

/** As GetObject, without the bytes. Errors have no document, as HEAD replies have no body. */
export const headObject: AnyOperation = define<Input, Output>({
  ...facts,
  name: 'HeadObject',
  method: 'HEAD',
  async run(context, input) {
    const chosen = await choose(context, input)
    return chosen.ok ? ok({ ...chosen.value, content: undefined }) : chosen
  },
  render(output): S3Reply {
    const { version, range } = output
    const bytes = range === undefined ? version.bytes : range.to - range.from
    return { status: range === undefined ? 200 : 206, headers: headersOf(output), body: { kind: 'head', bytes } }
  },
})
