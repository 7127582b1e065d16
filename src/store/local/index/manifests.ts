/** Manifests: the parts of a multipart object, some dozens to a row, found by the offset of their first byte. */
import { manifestKey, manifestPrefix, prefixRange } from './keys.ts'
import type { IndexReader } from './ordered-map.ts'
import { after } from './ordered-map.ts'
import { decodeManifestChunk, type ManifestChunk } from './rows.ts'

/** The chunks from the one with the byte at `offset` on. Each is read when the walk gets there. */
export function* manifestChunks(reader: IndexReader, id: number, offset: number): Generator<ManifestChunk, void> {
  const { from, to } = prefixRange(manifestPrefix(id))
  const [first] = reader.rangeBack(from, manifestKey(id, offset + 1, 0), 1)
  let next = first?.key ?? from
  for (;;) {
    const [entry] = reader.range(next, to, 1)
    if (entry === undefined) return
    yield decodeManifestChunk(entry.value)
    next = after(entry.key)
  }
}
