/**
 * Parity across the volumes of a group, row by row. Format: docs/formats.md#bundle, "Parity". Memory: one row (1 MiB) of each volume of the group
 * and of each that is made.
 */
import { Codec } from '../erasure/codec.ts'
import { Stop } from './fault.ts'
import { ROW_BYTES } from './format.ts'
import { leafAt, rowBytes, rowCount, type VolumeRecord } from './manifest.ts'
import type { InputFile, OutputFile } from './media.ts'
import { leafHash } from './merkle.ts'
import { RowWriter, type WrittenVolume } from './volume-writer.ts'

export type WrittenData = {
  readonly name: string
  readonly record: VolumeRecord
  /** Leaf hashes, one behind the other. */
  readonly leaves: Buffer
  readonly file: InputFile
}

/** Rows are read together, but not all at once: the thread pool serves others too. */
const READS_AT_ONCE = 4

/** Makes the parity volumes of a group from its data volumes as they lie on the medium, checked on the way. After a fault the caller abandons `files`. */
export async function writeParity(
  data: readonly WrittenData[],
  files: readonly OutputFile[],
  check: (bytes: number) => void,
): Promise<WrittenVolume[]> {
  const codec = Codec.for(data.length, files.length)
  const writers = files.map((file) => new RowWriter(file))
  try {
    const longest = Math.max(...data.map(({ record }) => record.bytes))
    for (let row = 0; row < rowCount(longest); row++) {
      const rows: Buffer[] = []
      for (let from = 0; from < data.length; from += READS_AT_ONCE)
        rows.push(...(await Promise.all(data.slice(from, from + READS_AT_ONCE).map((volume) => readBack(volume, row)))))
      const parity = files.map(() => new Uint8Array(rowBytes(longest, row)))
      codec.encode(
        rows.map((content) => [content]),
        parity,
      )
      for (const [index, writer] of writers.entries()) await writer.append([parity[index]!])
      check(rowBytes(longest, row) * files.length)
    }
    const written: WrittenVolume[] = []
    for (const writer of writers) written.push(await writer.finish())
    return written
  } catch (error) {
    for (const writer of writers) await writer.settled()
    throw error
  }
}

async function readBack({ name, record, leaves, file }: WrittenData, row: number): Promise<Buffer> {
  const bytes = rowBytes(record.bytes, row)
  if (bytes === 0) return Buffer.alloc(0)
  const content = await file.read(row * ROW_BYTES, bytes)
  if (content === undefined || !leafHash(content).equals(leafAt(leaves, row)))
    throw new Stop('medium-failed', `${name} reads back other bytes than were written: the medium is faulty.`)
  return content
}

/** Rebuilds one row of a group: `rows` by position, data volumes first, undefined where lost; rows behind the end of their volume are empty. */
export function rebuildRow(
  dataVolumes: number,
  parityVolumes: number,
  rows: readonly (Uint8Array | undefined)[],
  wanted: number,
  bytes: number,
): Uint8Array {
  const longest = Math.max(bytes, ...rows.map((row) => row?.length ?? 0))
  const out = new Uint8Array(longest)
  Codec.for(dataVolumes, parityVolumes).reconstruct(rows, [wanted], [out])
  return out.subarray(0, bytes)
}
