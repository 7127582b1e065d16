/**
 * Signature Version 4: who signed a request, and what its body promises. A function of request, keys and time.
 *
 * Always true afterwards: the signature covers method, path, query, host and every x-amz-* header that is present.
 * Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)", header and query parameters.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '../http/exchange.ts'
import type { Caller, Identities } from '../iam/identities.ts'
import { ok, type Result } from '../result.ts'
import { errorTime, formatAmzDate, parseAmzDate, parseDateHeader } from './amz-date.ts'
import { type CredentialPlace, type CredentialScope, parseCredential, scopeFail } from './credential-scope.ts'
import { type S3Failure, s3Fail } from './errors.ts'
import type { HmacKey } from './hmac.ts'
import { canonicalPath, canonicalQuery, type Query } from './query.ts'
import type { SigningKeys } from './signing-keys.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'
const SKEW_MAX_MS = 15 * 60 * 1000
const EXPIRES_MAX_S = 7 * 24 * 3600
const UNSIGNED = 'UNSIGNED-PAYLOAD'

export type Authenticated = {
  readonly caller: Caller
  readonly place: CredentialPlace
  /** What x-amz-content-sha256 says: a digest, UNSIGNED-PAYLOAD or a STREAMING-… word. */
  readonly contentSha256: string
  /** What the signatures of chunks are chained from. */
  readonly seed: SigningSeed
}

export type SigningSeed = { readonly key: HmacKey; readonly dateTime: string; readonly scope: string; readonly signature: string }

export type Verifier = { readonly region: string; readonly identities: Identities; readonly keys: SigningKeys; readonly nowMs: number }

/** What a request says of its signature, wherever it says it. */
type Claim = {
  readonly place: CredentialPlace
  readonly scope: CredentialScope
  readonly signedHeaders: string
  readonly signature: string
  readonly dateTime: string
  readonly contentSha256: string
}

/** Anonymous requests are AccessDenied, older signature versions InvalidRequest. */
export function authenticate(request: HttpRequest, query: Query, verifier: Verifier): Result<Authenticated, S3Failure> {
  const header = request.headers.get('authorization')
  const presigned = query.values.has('X-Amz-Algorithm') || query.values.has('X-Amz-Signature') || query.values.has('X-Amz-Credential')
  if (header !== undefined && (presigned || query.values.has('Signature'))) {
    return s3Fail('InvalidArgument', {
      message:
        'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      elements: { ArgumentName: 'Authorization', ArgumentValue: header },
    })
  }
  let claim: Result<Claim, S3Failure>
  if (header !== undefined) claim = claimOfHeader(request, header, verifier)
  else if (presigned) claim = claimOfQuery(request, query, verifier)
  else if (query.values.has('Signature') && query.values.has('AWSAccessKeyId')) return oldSignature()
  else return s3Fail('AccessDenied')
  return claim.ok ? verify(request, query, claim.value, verifier) : claim
}

const oldSignature = () =>
  s3Fail('InvalidRequest', {
    message: `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`,
  })

// ---- The Authorization header ----

function claimOfHeader(request: HttpRequest, header: string, verifier: Verifier): Result<Claim, S3Failure> {
  const space = header.indexOf(' ')
  const scheme = header.slice(0, Math.max(space, 0))
  if (scheme === 'AWS') return oldSignature()
  if (scheme !== ALGORITHM) {
    return s3Fail('InvalidArgument', {
      message: space < 0 ? "Authorization header is invalid -- one and only one ' ' (space) required." : 'Unsupported Authorization Type',
      elements: { ArgumentName: 'Authorization', ArgumentValue: space < 0 ? header : scheme },
    })
  }
  const fields = parseFields(header.slice(space + 1))
  if (!fields.ok) return fields
  const [credential, signedHeaders, signature] = fields.value
  const scope = parseCredential(credential, 'header', verifier.region)
  if (!scope.ok) return scope

  const amzDate = request.headers.get('x-amz-date')
  const requestMs = amzDate !== undefined ? parseAmzDate(amzDate) : parseDateHeader(request.headers.get('date') ?? '')
  if (requestMs === undefined) {
    return s3Fail('AccessDenied', { message: 'AWS authentication requires a valid Date or x-amz-date header' })
  }
  const dateTime = formatAmzDate(requestMs)
  if (!dateTime.startsWith(scope.value.day)) return wrongDay('header', scope.value.day, dateTime)
  if (Math.abs(verifier.nowMs - requestMs) > SKEW_MAX_MS) return tooSkewed(dateTime, verifier.nowMs)

  const contentSha256 = request.headers.get('x-amz-content-sha256')
  if (contentSha256 === undefined) {
    return s3Fail('InvalidRequest', { message: 'Missing required header for this request: x-amz-content-sha256' })
  }
  if (!isContentSha256(contentSha256)) return badContentSha256(contentSha256)
  return ok({ place: 'header', scope: scope.value, signedHeaders, signature, dateTime, contentSha256 })
}

const FIELDS = ['Credential', 'SignedHeaders', 'Signature'] as const

/** The values of "Credential=…, SignedHeaders=…, Signature=…", in this order, blanks optional. */
function parseFields(text: string): Result<readonly [credential: string, signedHeaders: string, signature: string], S3Failure> {
  const components = text.split(',')
  if (components.length !== 3) {
    return scopeFail('header', 'the authorization header requires three components: Credential, SignedHeaders, and Signature.')
  }
  const values: string[] = []
  for (const [i, name] of FIELDS.entries()) {
    const component = components[i]!.trim()
    const equals = component.indexOf('=')
    if (equals < 0) return scopeFail('header', `the authorization component "${component}" is malformed.`)
    if (component.slice(0, equals) !== name) return scopeFail('header', `missing ${name}.`)
    values.push(component.slice(equals + 1))
  }
  return ok([values[0]!, values[1]!, values[2]!])
}

const wrongDay = (place: CredentialPlace, day: string, dateTime: string) =>
  scopeFail(place, `Invalid credential date "${day}". This date is not the same as X-Amz-Date: "${dateTime.slice(0, 8)}".`)

const tooSkewed = (dateTime: string, nowMs: number) =>
  s3Fail('RequestTimeTooSkewed', {
    elements: { RequestTime: dateTime, ServerTime: errorTime(nowMs), MaxAllowedSkewMilliseconds: SKEW_MAX_MS },
  })

const STREAMING: ReadonlySet<string> = new Set([
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
])
const isContentSha256 = (text: string): boolean => text === UNSIGNED || /^[0-9a-f]{64}$/i.test(text) || STREAMING.has(text)

const badContentSha256 = (value: string) =>
  s3Fail('InvalidArgument', {
    message:
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
    elements: { ArgumentName: 'x-amz-content-sha256', ArgumentValue: value },
  })

// ---- The presigned query ----

const queryFail = (message: string) => s3Fail('AuthorizationQueryParametersError', { message })

function claimOfQuery(request: HttpRequest, query: Query, verifier: Verifier): Result<Claim, S3Failure> {
  const algorithm = query.values.get('X-Amz-Algorithm')
  const credential = query.values.get('X-Amz-Credential')
  const signature = query.values.get('X-Amz-Signature')
  const dateTime = query.values.get('X-Amz-Date')
  const signedHeaders = query.values.get('X-Amz-SignedHeaders')
  const expires = query.values.get('X-Amz-Expires')
  if (!algorithm || !credential || !signature || !dateTime || !signedHeaders || !expires) {
    return s3Fail('AuthorizationQueryParametersError')
  }
  if (algorithm !== ALGORITHM) return queryFail('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
  const scope = parseCredential(credential, 'query', verifier.region)
  if (!scope.ok) return scope
  const signedMs = parseAmzDate(dateTime)
  if (signedMs === undefined) return queryFail("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
  if (!dateTime.startsWith(scope.value.day)) {
    return queryFail(`Invalid credential date "${scope.value.day}". This date is not the same as X-Amz-Date: "${dateTime.slice(0, 8)}".`)
  }
  if (!/^-?\d+$/.test(expires)) return queryFail('X-Amz-Expires should be a number')
  const expiresS = Number(expires)
  if (expiresS < 0) return queryFail('X-Amz-Expires must be non-negative')
  if (expiresS > EXPIRES_MAX_S) {
    return queryFail(
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    )
  }
  if (signedMs - verifier.nowMs > SKEW_MAX_MS) {
    return s3Fail('AccessDenied', {
      message: 'Request is not valid yet',
      elements: { 'X-Amz-Date': dateTime, ServerTime: errorTime(verifier.nowMs) },
    })
  }
  const endMs = signedMs + expiresS * 1000
  if (verifier.nowMs > endMs) {
    return s3Fail('AccessDenied', {
      message: 'Request has expired',
      elements: { 'X-Amz-Expires': expires, Expires: errorTime(endMs), ServerTime: errorTime(verifier.nowMs) },
    })
  }
  const contentSha256 = request.headers.get(CONTENT_SHA256) ?? query.values.get('X-Amz-Content-Sha256') ?? UNSIGNED
  const isSigned = !isUnsignedDigest(request, signedHeaders.split(';'))
  if (isSigned && !isContentSha256(contentSha256)) return badContentSha256(contentSha256)
  return ok({ place: 'query', scope: scope.value, signedHeaders, signature, dateTime, contentSha256 })
}

const CONTENT_SHA256 = 'x-amz-content-sha256'

/** A presigned request may say of its body, in a header beyond those signed, what it was signed with; and nothing else, or the signature does not match. */
function isUnsignedDigest(request: HttpRequest, names: readonly string[]): boolean {
  const stated = request.headers.get(CONTENT_SHA256)
  return stated !== undefined && !stated.startsWith('STREAMING-') && !names.includes(CONTENT_SHA256)
}

// ---- Both ----

function verify(request: HttpRequest, query: Query, claim: Claim, verifier: Verifier): Result<Authenticated, S3Failure> {
  const found = verifier.identities.findKey(claim.scope.accessKeyId)
  if (found === undefined) return s3Fail('InvalidAccessKeyId', { elements: { AWSAccessKeyId: claim.scope.accessKeyId } })
  const token = request.headers.get('x-amz-security-token') ?? query.values.get('X-Amz-Security-Token')
  if (token !== undefined) return s3Fail('InvalidToken', { elements: { 'Token-0': token } })

  const names = claim.signedHeaders.split(';')
  const ignored = claim.place === 'query' && isUnsignedDigest(request, names) ? CONTENT_SHA256 : undefined
  const unsigned = unsignedHeaders(request, names, ignored)
  if (unsigned !== undefined) {
    return s3Fail('AccessDenied', {
      message: 'There were headers present in the request which were not signed',
      elements: { HeadersNotSigned: unsigned },
    })
  }

  const key = verifier.keys.derive(claim.scope.accessKeyId, found.secretAccessKey, claim.scope.day)
  const rest = `\n${canonicalQuery(query.raw)}\n${canonicalHeaders(request, names)}\n${claim.signedHeaders}\n${claim.contentSha256}`
  const path = canonicalPath(request.rawPath)
  const canonical = `${request.method}\n${path}${rest}`
  const toSign = stringToSign(claim, canonical)
  // Some clients sign a "%2F" in a key as the '/' that it stands for. Both name the same object.
  const matches =
    sameSignature(key.sign(toSign, 'hex'), claim.signature) ||
    (path.includes('%2F') &&
      sameSignature(key.sign(stringToSign(claim, `${request.method}\n${path.replaceAll('%2F', '/')}${rest}`), 'hex'), claim.signature))
  if (!matches) return mismatch(claim, toSign, canonical)
  return ok({
    caller: found.caller,
    place: claim.place,
    contentSha256: claim.contentSha256,
    seed: { key, dateTime: claim.dateTime, scope: claim.scope.text, signature: claim.signature },
  })
}

/** Header values are the bytes received, a character each, and are hashed as such. */
const stringToSign = (claim: Claim, canonical: string): string =>
  `${ALGORITHM}\n${claim.dateTime}\n${claim.scope.text}\n${hash('sha256', Buffer.from(canonical, 'latin1'), 'hex')}`

/** The x-amz-* headers that are there and not signed, and host if it is not; undefined if all are. */
function unsignedHeaders(request: HttpRequest, names: readonly string[], ignored: string | undefined): string | undefined {
  let unsigned = names.includes('host') ? '' : 'host'
  for (const name of request.headers.keys()) {
    if (name.startsWith('x-amz-') && !names.includes(name) && name !== ignored) unsigned += unsigned === '' ? name : `, ${name}`
  }
  return unsigned === '' ? undefined : unsigned
}

function canonicalHeaders(request: HttpRequest, names: readonly string[]): string {
  let text = ''
  for (const name of names) {
    const value = request.headers.get(name) ?? ''
    text += `${name}:${value.includes('  ') || value.includes('\t') ? value.trim().replace(/[ \t]+/g, ' ') : value}\n`
  }
  return text
}

function sameSignature(computed: string, given: string): boolean {
  if (given.length !== computed.length) return false
  return timingSafeEqual(Buffer.from(computed, 'latin1'), Buffer.from(given, 'latin1'))
}

const spacedHex = (text: string): string =>
  Buffer.from(text, 'latin1')
    .toString('hex')
    .replace(/..(?!$)/g, '$& ')

const mismatch = (claim: Claim, toSign: string, canonical: string) =>
  s3Fail('SignatureDoesNotMatch', {
    elements: {
      AWSAccessKeyId: claim.scope.accessKeyId,
      StringToSign: toSign,
      SignatureProvided: claim.signature,
      StringToSignBytes: spacedHex(toSign),
      CanonicalRequest: canonical,
      CanonicalRequestBytes: spacedHex(canonical),
    },
  })
