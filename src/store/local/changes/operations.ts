/** Records as the operations that peers get: everything but where the bytes are. */
import type { Change, Operation } from '../../operation.ts'
import type { Position } from '../../terms.ts'
import { decodeFrontier } from '../index/rows.ts'
import { toPart } from '../index/values.ts'
import { decodeAttributes } from '../index/version-row.ts'
import { NULL_VERSION_ID, versionIdOf } from '../position.ts'
import type { ApplyForeignRecord, ChangeRecord, CompleteUploadRecord, PutObjectRecord, ReturnVersionRecord } from './record.ts'

/** Undefined if the record is no operation of a bucket. `at`: clock, site and sequence of the record. */
export function operationOf(record: ChangeRecord, at: Position): Operation | undefined {
  if (record.kind === 'apply-foreign') return returnedOperation(record)
  const position = record.kind === 'return-version' ? record.position : at
  const change = changeOf(record, position)
  if (change === undefined || !('operation' in record)) return undefined
  const { number, frontier } = record.operation
  const operation = { number, position, frontier: decodeFrontier(frontier), change }
  return record.kind === 'return-version' ? { ...operation, madeUs: at.clock } : operation
}

/** An operation that came back to its origin; undefined if it is another site's. */
function returnedOperation({ operation, position, change, from, number }: ApplyForeignRecord): Operation | undefined {
  if (operation === undefined) return undefined
  return { number: operation.number, position, frontier: decodeFrontier(operation.frontier), change, was: { origin: from, number } }
}

function changeOf(record: ChangeRecord, position: Position): Change | undefined {
  switch (record.kind) {
    case 'create-bucket':
      return { kind: 'create-bucket', name: record.name }
    case 'delete-bucket':
      return { kind: 'delete-bucket' }
    case 'put-versioning':
      return { kind: 'put-versioning', versioning: record.versioning }
    case 'put-configuration':
      return { kind: 'put-configuration', name: record.name, json: record.json }
    case 'put-object':
      return objectChange(record, position, [])
    case 'complete-upload':
      return objectChange(record, position, record.parts)
    case 'put-marker': {
      const { key, isNull, replaces } = record
      return { kind: 'put-marker', key, versionId: isNull ? NULL_VERSION_ID : versionIdOf(position), replaces: replaces ?? null }
    }
    case 'delete-version':
      return { kind: 'delete-version', key: record.key, versionId: record.versionId, target: record.target }
    case 'return-version':
      return record.isMarker
        ? { kind: 'put-marker', key: record.key, versionId: record.isNull ? NULL_VERSION_ID : versionIdOf(position), replaces: null }
        : objectChange(record, position, record.parts)
    case 'put-tags':
      return { kind: 'put-tags', key: record.key, target: record.target, tags: record.tags }
    default:
      return undefined
  }
}

function objectChange(
  record: PutObjectRecord | CompleteUploadRecord | ReturnVersionRecord,
  position: Position,
  parts: CompleteUploadRecord['parts'],
): Change {
  const { key, isNull, etag, bytes } = record
  const replaces = 'replaces' in record ? record.replaces : undefined
  return {
    kind: 'put-object',
    key,
    versionId: isNull ? NULL_VERSION_ID : versionIdOf(position),
    replaces: replaces ?? null,
    attributes: { etag, ...decodeAttributes(record.attributes, record.checksum) },
    bytes,
    parts: parts.map(toPart),
  }
}
