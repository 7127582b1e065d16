/** Content of a new version or part, as its record is going to hold it. */
import { fail, ok, type Result } from '../../../result.ts'
import { cut, SLICES_PER_PART_MAX, type Slice, type Slices } from '../content.ts'
import { manifestChunks } from '../index/manifests.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { packSlices, unpackSlices } from '../index/rows.ts'
import { getAt } from '../index/versions.ts'
import type { RecordContent } from './record.ts'
import type { RequestContent } from './request.ts'

export type DecidedContent = { readonly content: RecordContent; readonly bytes: number; readonly body: Uint8Array }

const NO_BODY = new Uint8Array(0)

/** `use`: versions hold one run at most; a part may hold several, so that an object made of copies of copies does not grow deep. */
export function decideContent(
  reader: IndexReader,
  request: RequestContent,
  use: 'version' | 'part',
): Result<DecidedContent, 'source-gone'> {
  switch (request.kind) {
    case 'none':
      return ok({ content: { kind: 'none' }, bytes: 0, body: NO_BODY })
    case 'body': {
      const bytes = request.body.length
      if (bytes === 0) return ok({ content: { kind: 'none' }, bytes, body: NO_BODY })
      return ok({ content: { kind: 'body', bytes }, bytes, body: request.body })
    }
    case 'extent':
      return ok({ content: { kind: 'extent', place: request.place, durable: request.durable }, bytes: request.place.bytes, body: NO_BODY })
    case 'shared': {
      const source = getAt(reader, request.bucketId, request.key, request.position)
      if (source === undefined || source.kind !== 'object' || request.to > source.bytes) return fail('source-gone')
      const bytes = request.to - request.from
      const slices = cut(source.content === undefined ? [] : [source.content], request.from, request.to)
      if (slices.length === 0) return ok({ content: { kind: 'none' }, bytes: 0, body: NO_BODY })
      const shared = use === 'part' ? flatten(reader, slices[0]!) : slices
      return ok({ content: { kind: 'shared', slices: packSlices(shared) }, bytes, body: NO_BODY })
    }
  }
}

/** The runs that a run of a manifest is made of, unless they are too many. */
function flatten(reader: IndexReader, slice: Slice): Slices {
  if (slice.kind !== 'manifest') return [slice]
  const found: Slice[] = []
  for (const chunk of manifestChunks(reader, slice.id, slice.from)) {
    let start = chunk.from
    for (const part of chunk.parts) {
      const end = start + part.bytes
      if (end > slice.from && start < slice.to) {
        found.push(...cut(unpackSlices(part.slices), Math.max(0, slice.from - start), Math.min(part.bytes, slice.to - start)))
        if (found.length > SLICES_PER_PART_MAX) return [slice]
      }
      start = end
    }
    if (start >= slice.to) break
  }
  return found
}
