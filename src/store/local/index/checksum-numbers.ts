/** Numbers of the checksum algorithms in rows and records; never reused. Format: docs/formats.md#record-metadata. */
import type { Checksum, ChecksumAlgorithm } from '../../terms.ts'

const ALGORITHMS: readonly ChecksumAlgorithm[] = [
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
  'SHA512',
  'MD5',
  'XXHASH64',
  'XXHASH3',
  'XXHASH128',
]
const COMPOSITE = 128

type Named = Pick<Checksum, 'algorithm' | 'type'>
const NAMED: readonly (Named | undefined)[] = Array.from({ length: 256 }, (_, number) => {
  const algorithm = ALGORITHMS[(number & 127) - 1]
  return algorithm && Object.freeze({ algorithm, type: number >= COMPOSITE ? 'COMPOSITE' : 'FULL_OBJECT' })
})

/** 1 to 10, plus 128 for a composite one. */
export const checksumNumberOf = ({ algorithm, type }: Named): number =>
  ALGORITHMS.indexOf(algorithm) + 1 + (type === 'COMPOSITE' ? COMPOSITE : 0)

/** Undefined for 0 (none) and unknown numbers. */
export const checksumAlgorithmOf = (number: number): Named | undefined => NAMED[number]
