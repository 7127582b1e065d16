/** What a bundle says of itself to its recipient: what it needs, what it brings, what its sender holds. Format: docs/formats.md#bundle, "Operations". */
import { type Fields, type Json, parseJson } from '../bundles/json.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { type Origin, parseOrigin } from '../store/operation.ts'
import type { Ranges } from '../store/ranges.ts'
import type { Bucket, SiteId } from '../store/terms.ts'
import { BUCKET_BYTES, RANGE_BYTES, RANGES_BYTES_MAX, RANGES_MAX, rangesField } from './documents.ts'
import { type BucketOrigin, parsePosition, positionText } from './words.ts'

export type StatedBucket = {
  readonly bucket: BucketOrigin
  /** As it is called at the sender. */
  readonly name: string
  readonly deleted: boolean
  /** Operations of the sender that the recipient is assumed to hold. */
  readonly needs: Ranges
  /** Exactly those that follow. */
  readonly brings: Ranges
}
/** Operations of the recipient itself, of an earlier epoch, that it seems to have lost. */
export type StatedReturn = StatedBucket & { readonly origin: Origin }
export type StatedHolding = { readonly bucket: BucketOrigin; readonly origin: Origin; readonly ranges: Ranges }

export type Statement = {
  readonly origin: Origin
  readonly to: SiteId
  readonly full: boolean
  readonly operations: number
  /** At most so much content comes. */
  readonly contentBytes: number
  readonly buckets: readonly StatedBucket[]
  readonly holds: readonly StatedHolding[]
  /** Come behind the others, each with its own origin's signature. */
  readonly returns: readonly StatedReturn[]
  /** The greatest stamp that the sender knows of, microseconds since 1970; 0 if it does not say. */
  readonly clock: number
}

/** What follows the statement, in its order. */
export const sectionsOf = ({ buckets, returns }: Statement): readonly (StatedBucket & { readonly origin?: Origin })[] => [
  ...buckets,
  ...returns,
]

/** As the first member of a bundle has it. Format: docs/formats.md#operations, "Statement". */
export function statementJson({ returns, ...statement }: Statement): Json {
  const named = returns.map(({ bucket, name, deleted, origin, brings }) => ({ bucket, name, deleted, origin, brings }))
  return { format: 1, ...statement, ...(named.length === 0 ? {} : { returns: named }) } as unknown as Json
}

const BUCKETS_MAX = 100_000

/** Undefined if it is malformed. */
export function parseStatement(json: Json): Statement | undefined {
  return parseJson(Buffer.from(JSON.stringify(json)), (fields) => {
    fields.is('format', 1)
    const full = fields.json('full')
    if (typeof full !== 'boolean') return fields.malformed()
    return {
      origin: (parseOrigin(fields.text('origin', 64)) ?? fields.malformed()).origin,
      to: fields.hex('to', 16) as SiteId,
      full,
      operations: fields.integer('operations', 0, Number.MAX_SAFE_INTEGER),
      contentBytes: fields.integer('contentBytes', 0, Number.MAX_SAFE_INTEGER),
      buckets: fields.list('buckets', 0, BUCKETS_MAX, (one): StatedBucket => {
        const deleted = one.json('deleted')
        if (typeof deleted !== 'boolean') return one.malformed()
        return {
          bucket: bucketField(one.text('bucket', 80)) ?? one.malformed(),
          name: one.text('name', 63),
          deleted,
          needs: rangesField(one, 'needs'),
          brings: rangesField(one, 'brings'),
        }
      }),
      holds: fields.list('holds', 0, BUCKETS_MAX, (one) => ({
        bucket: bucketField(one.text('bucket', 80)) ?? one.malformed(),
        origin: (parseOrigin(one.text('origin', 64)) ?? one.malformed()).origin,
        ranges: rangesField(one, 'ranges'),
      })),
      returns: fields.ifThere('returns', (name) => fields.list(name, 0, BUCKETS_MAX, readReturn)) ?? [],
      clock: fields.ifThere('clock', (name) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER)) ?? 0,
    }
  })
}

const readReturn = (one: Fields): StatedReturn => ({
  deleted: flag(one, 'deleted'),
  bucket: bucketField(one.text('bucket', 80)) ?? one.malformed(),
  name: one.text('name', 63),
  origin: (parseOrigin(one.text('origin', 64)) ?? one.malformed()).origin,
  brings: rangesField(one, 'brings'),
  needs: [],
})

function flag(fields: Fields, name: string): boolean {
  const value = fields.json(name)
  return typeof value === 'boolean' ? value : fields.malformed()
}

const bucketField = (text: string): BucketOrigin | undefined => (parsePosition(text) === undefined ? undefined : (text as BucketOrigin))

/** What this site has applied of the operations of `peer`. What is too much to say is left out: the peer then sends it again. */
export async function holdsOf(store: FederationStore, buckets: readonly Bucket[], peer: SiteId): Promise<StatedHolding[]> {
  const holds: StatedHolding[] = []
  let bytes = 0
  for (const bucket of buckets) {
    for (const [origin, held] of Object.entries(await store.held(bucket.id)) as [Origin, Ranges][]) {
      if (parseOrigin(origin)?.site !== peer || held.length === 0) continue
      const ranges = held.slice(0, RANGES_MAX)
      bytes += BUCKET_BYTES + ranges.length * RANGE_BYTES
      if (bytes > RANGES_BYTES_MAX) return holds
      holds.push({ bucket: positionText(bucket.origin), origin, ranges })
    }
  }
  return holds
}
