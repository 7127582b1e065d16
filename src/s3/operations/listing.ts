/** What the listings share. Rows are joined as text: a generic writer costs three times as much on pages of 1,000 (docs/architecture.md). */
import { ok, type Result } from '../../result.ts'
import type { ListedObject } from '../../store/store.ts'
import type { S3Failure } from '../errors.ts'
import type { Caller, S3Request } from '../operation.ts'
import { element, escapeXml, xmlTime } from '../xml.ts'
import { encodingType, rowsMax, urlEncoded } from './arguments.ts'

export type ListArguments = {
  readonly prefix: string
  readonly delimiter: string
  readonly max: number
  /** encoding-type=url was asked for. */
  readonly encoded: boolean
}

/** Errors: InvalidArgument. */
export function listArguments(request: S3Request, maxName: string): Result<ListArguments, S3Failure> {
  const { query } = request
  const max = rowsMax(maxName, query.get(maxName))
  if (!max.ok) return max
  const encoded = encodingType(request)
  if (!encoded.ok) return encoded
  return ok({ prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '', max: max.value, encoded: encoded.value })
}

/** A name in the form asked for, ready to stand in XML. */
export const nameWriter = (encoded: boolean): ((name: string) => string) => (encoded ? urlEncoded : escapeXml)

export const ownerElement = (owner: string, caller: Caller): string =>
  `<Owner>${element('ID', owner)}${owner === caller.id ? element('DisplayName', caller.displayName) : ''}</Owner>`

/** From ETag to Size: what Contents and Version have in common. */
export function describedRow(row: ListedObject): string {
  const checksum =
    row.checksumAlgorithm === undefined
      ? ''
      : `<ChecksumAlgorithm>${row.checksumAlgorithm}</ChecksumAlgorithm>${row.checksumType === undefined ? '' : `<ChecksumType>${row.checksumType}</ChecksumType>`}`
  return `<ETag>&quot;${escapeXml(row.etag)}&quot;</ETag>${checksum}<Size>${row.bytes}</Size>`
}

export function contentRows(rows: readonly ListedObject[], write: (name: string) => string, owner: string): string {
  let text = ''
  for (const row of rows)
    text += `<Contents><Key>${write(row.key)}</Key><LastModified>${xmlTime(row.modifiedMs)}</LastModified>${describedRow(row)}${owner}<StorageClass>STANDARD</StorageClass></Contents>`
  return text
}

export function prefixRows(prefixes: readonly string[], write: (name: string) => string): string {
  let text = ''
  for (const prefix of prefixes) text += `<CommonPrefixes><Prefix>${write(prefix)}</Prefix></CommonPrefixes>`
  return text
}

/** An element whose text is a name; left out if undefined. */
export const nameElement = (name: string, value: string | undefined, write: (name: string) => string): string =>
  value === undefined ? '' : `<${name}>${write(value)}</${name}>`

/** A page without rows, for a maximum of 0: never truncated, so that no client asks forever. */
export const EMPTY_PAGE = { entries: [], commonPrefixes: [], truncated: false, last: '' } as const
