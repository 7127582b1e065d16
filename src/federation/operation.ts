/** Operations as the text that their origin signs. The text of an operation never changes. Format: docs/formats.md#bundle, "Operations". */
import type { Operation, Origin } from '../store/operation.ts'
import type { Part } from '../store/terms.ts'
import { type BucketOrigin, canonicalJson, positionText } from './words.ts'

/** What is signed of one change: the operation, whose it is, and the digest of its content. */
export type SignedOperation = {
  readonly bucket: BucketOrigin
  readonly origin: Origin
  readonly operation: Operation
  /** Of a put-object: content digest, 96 hexadecimal digits; null if the bytes were gone before the first export. */
  readonly digest: string | null
}

export function operationText({ bucket, origin, operation, digest }: SignedOperation): string {
  const { number, position, frontier, was } = operation
  return canonicalJson({
    format: 1,
    ...{ bucket, origin, number, frontier },
    position: positionText(position),
    change: changeFields(operation.change, digest),
    was: was && `${was.origin}/${was.number}`,
  })
}

/** Whether it is the same change, wherever it is numbered and whether or not its digest was known. */
export const isSameChange = (one: Operation, other: Operation): boolean =>
  positionText(one.position) === positionText(other.position) &&
  canonicalJson(changeFields(one.change, null)) === canonicalJson(changeFields(other.change, null))

function changeFields(change: Operation['change'], digest: string | null): object {
  switch (change.kind) {
    case 'create-bucket':
    case 'delete-bucket':
    case 'put-versioning':
    case 'put-configuration':
      return change
    case 'put-object': {
      const { kind, key, versionId, replaces, attributes, bytes, parts } = change
      const { etag, headers, userMetadata, tags, checksum } = attributes
      return {
        ...{ kind, key, version: versionId, etag, headers, metadata: userMetadata, tags, bytes, digest, label: null },
        replaces: replaces && positionText(replaces),
        checksum: checksum ?? null,
        parts: parts.map(partFields),
      }
    }
    case 'put-marker': {
      const { kind, key, versionId, replaces } = change
      return { kind, key, version: versionId, replaces: replaces && positionText(replaces) }
    }
    case 'delete-version': {
      const { kind, key, versionId, target } = change
      return { kind, key, version: versionId, target: positionText(target) }
    }
    case 'put-tags': {
      const { kind, key, target, tags } = change
      return { kind, key, target: positionText(target), tags }
    }
  }
}

export function partFields({ number, bytes, etag, modifiedMs, checksum }: Part): readonly (string | number)[] {
  const plain = [number, bytes, etag, modifiedMs]
  return checksum === undefined ? plain : [...plain, checksum.algorithm, checksum.type, checksum.value]
}

/** The key that a change is about; undefined if it is about the bucket itself. */
export const keyOf = (change: Operation['change']): string | undefined => ('key' in change ? change.key : undefined)
