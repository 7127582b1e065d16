/** Operations: the changes of a bucket as their origin made and numbered them, which is what sites exchange. */
import type { Ranges } from './ranges.ts'
import type { BucketName, ObjectAttributes, Part, Position, SiteId, Tags } from './terms.ts'

/** "site/epoch": where operations come from. */
export type Origin = string & { readonly brand: 'Origin' }

export const originOf = (site: SiteId, epoch: number): Origin => `${site}/${epoch}` as Origin

/** Nine digits: whoever claims a later epoch than any site will reach is not believed. */
const ORIGIN = /^([0-9a-f]{32})\/([1-9][0-9]{0,8})$/

/** Undefined if it is no origin's text. */
export function parseOrigin(text: unknown): { readonly origin: Origin; readonly site: SiteId; readonly epoch: number } | undefined {
  const match = typeof text === 'string' ? ORIGIN.exec(text) : null
  if (match === null) return undefined
  return { origin: text as Origin, site: match[1] as SiteId, epoch: Number(match[2]) }
}

/** What had been applied in a bucket, by origin. */
export type Frontier = Readonly<Record<Origin, Ranges>>

/** One change of a bucket, as its origin made it. Everything but `madeUs` goes into what the origin signs. */
export type Operation = {
  /** From 1, without gaps, per origin and bucket. */
  readonly number: number
  readonly position: Position
  /** What of other origins the origin had applied in this bucket before. */
  readonly frontier: Frontier
  readonly change: Change
  /** What it was in an earlier epoch, if its origin had lost it and gave it another number when it came back. */
  readonly was?: { readonly origin: Origin; readonly number: number }
  /** When it was made here, microseconds since 1970, if its position is that of a version which it brought back. Peers are not told. */
  readonly madeUs?: number
}

export type Change =
  /** Always number 1 of the bucket's own origin. */
  | { readonly kind: 'create-bucket'; readonly name: BucketName }
  | { readonly kind: 'delete-bucket' }
  | { readonly kind: 'put-versioning'; readonly versioning: 'enabled' | 'suspended' }
  | { readonly kind: 'put-configuration'; readonly name: string; readonly json: string | null }
  | {
      readonly kind: 'put-object'
      readonly key: string
      readonly versionId: string
      /** The null version that this one took the place of. Only with versionId 'null'. */
      readonly replaces: Position | null
      readonly attributes: ObjectAttributes
      readonly bytes: number
      /** [] unless it was uploaded in parts. */
      readonly parts: readonly Part[]
    }
  | { readonly kind: 'put-marker'; readonly key: string; readonly versionId: string; readonly replaces: Position | null }
  | { readonly kind: 'delete-version'; readonly key: string; readonly versionId: string; readonly target: Position }
  | { readonly kind: 'put-tags'; readonly key: string; readonly target: Position; readonly tags: Tags }

/** What an operation was in an earlier epoch of its site; `knows`: what its site says to hold of the operations of this one in that bucket. */
export type Twin = { readonly epoch: number; readonly number: number; readonly knows: Ranges }

export type KeptOperation = { readonly operation: Operation; readonly evidence: Uint8Array }
