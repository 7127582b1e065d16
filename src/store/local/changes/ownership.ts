/** Who owns content: references are rows (extent or manifest, owner), so that adding or removing one twice is the same as once. */
import type { ExtentPlace } from '../../../disks/geometry.ts'
import type { Slice, Slices } from '../content.ts'
import {
  doomedManifestKey,
  extentKey,
  extentOwnerKey,
  extentOwnersOf,
  healKey,
  manifestOwnerKey,
  manifestOwnersOf,
  manifestPrefix,
  prefixRange,
} from '../index/keys.ts'
import { decodeManifestChunk, encodeExtentRow, getExtent, unpackSlices, wholeMask } from '../index/rows.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import type { RecordContent } from './record.ts'

const NOTHING = new Uint8Array(0)

/** Takes what a record brings or shares; answers where the bytes are. */
export function own(context: ApplyContext, content: RecordContent, change: PlacedChange): Slices {
  const slices = slicesOf(content, change)
  if (content.kind === 'extent') addExtent(context, content.place, content.durable)
  for (const slice of slices) addOwner(context, slice, change.sequence)
  return slices
}

function slicesOf(content: RecordContent, change: PlacedChange): Slices {
  switch (content.kind) {
    case 'none':
      return []
    case 'body':
      if (change.place === undefined) throw new Error(`record ${change.sequence} has no body`)
      return [{ kind: 'journal', place: change.place, from: 0, to: content.bytes }]
    case 'extent':
      return [{ kind: 'extent', place: content.place, from: 0, to: content.place.bytes }]
    case 'shared':
      return unpackSlices(content.slices)
  }
}

function addExtent(context: ApplyContext, place: ExtentPlace, durable: number): void {
  const row = encodeExtentRow({ place, durable })
  context.writer.put(extentKey(place), row)
  if (durable === wholeMask(place)) return
  context.writer.put(healKey(place), row)
  context.healListGrew = true
}

function addOwner(context: ApplyContext, slice: Slice, owner: number): void {
  if (slice.kind === 'extent') context.writer.put(extentOwnerKey(slice.place, owner), NOTHING)
  else if (slice.kind === 'manifest') context.writer.put(manifestOwnerKey(slice.id, owner), NOTHING)
}

/** Gives up what `owner` had. Extents and manifests that nobody owns any more go. */
export function release(context: ApplyContext, slices: Slices, owner: number): void {
  for (const slice of slices) {
    if (slice.kind === 'extent') releaseExtent(context, slice.place, owner)
    else if (slice.kind === 'manifest') releaseManifest(context, slice.id, owner)
  }
}

function releaseExtent(context: ApplyContext, place: ExtentPlace, owner: number): void {
  const { writer } = context
  writer.remove(extentOwnerKey(place, owner))
  const { from, to } = extentOwnersOf(place)
  const extent = getExtent(writer, place)
  // One owner may have several runs of the same extent.
  if (extent === undefined || writer.range(from, to, 1).length > 0) return
  writer.remove(extentKey(place))
  if (extent.durable !== wholeMask(place)) writer.remove(healKey(place))
  context.freed.push(extent.place)
}

function releaseManifest(context: ApplyContext, id: number, owner: number): void {
  const { writer } = context
  writer.remove(manifestOwnerKey(id, owner))
  const owners = manifestOwnersOf(id)
  if (writer.range(owners.from, owners.to, 1).length > 0) return
  writer.put(doomedManifestKey(id), NOTHING)
  context.doomed.push(id)
}

/** Manifests have up to 10,000 parts; each step gives up so many rows of them, so that none takes long. */
const CHUNKS_PER_STEP = 16

/**
 * Gives up parts of a manifest that nobody owns any more. It stays that long because requests may still be finding their way by it; a record of its
 * own, written when they are past, lets it go.
 */
export function dropManifest(context: ApplyContext, id: number): void {
  const { writer } = context
  const { from, to } = prefixRange(manifestPrefix(id))
  if (writer.get(doomedManifestKey(id)) === undefined) return
  const chunks = writer.range(from, to, CHUNKS_PER_STEP)
  for (const chunk of chunks) {
    writer.remove(chunk.key)
    for (const part of decodeManifestChunk(chunk.value).parts) release(context, unpackSlices(part.slices), part.owner)
  }
  if (chunks.length < CHUNKS_PER_STEP) writer.remove(doomedManifestKey(id))
  else context.doomed.push(id)
}
