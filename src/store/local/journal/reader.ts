import type { Disk, DiskFault } from '../../../disks/disk.ts'
import type { Result } from '../../../result.ts'
import type { BodyPlace } from './terms.ts'

export type JournalReaderInput = {
  /** Those that are in, now. */
  readonly disks: () => readonly Disk[]
  readonly reportFault: (disk: Disk, fault: DiskFault) => void
  /** A copy of the segment has bad bytes, on a disk that works. */
  readonly reportBadCopy?: (disk: Disk, segment: number) => void
}
/** Reads bodies from whatever copy is good, on any thread: `new JournalReader(input)`. */
export interface JournalReader {
  read(place: BodyPlace): Promise<Result<Uint8Array, 'damaged' | 'too-few-disks'>>
  close(): void
}
