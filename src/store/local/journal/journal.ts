/**
 * The journal: one append-only chain of records, copied onto c = min(m + 1, disks in) disks. Format: docs/formats.md#journal-segment.
 *
 * How the committer uses it (one batch at a time):
 *
 *   const begun = await journal.begin()                        // rolls to a fresh segment first if need be
 *   if (!begun.ok) …                                           // 'unavailable' | 'full'
 *   const batch: Reservation = begun.value
 *   for each request:
 *     decide …                                                 // the record's sequence will be batch.nextSequence
 *     if (!batch.fits(records)) break                          // decide that request again in the next batch; if batch.count is 0: batch.cancel()
 *     const { sequence, place } = batch.add(record)            // synchronous; `place` is final unless append answers 'moved'
 *     apply(transaction, record, place)
 *   const appended = await journal.append(batch)
 *   ok            durable on every copy: commit, acknowledge
 *   'moved'       abort the transaction, begin() again and decide anew: same sequences, other places
 *   'unavailable', 'full'    abort the transaction, refuse the requests; begin() may work again later
 *
 * A batch never spans segments and is recovered whole or not at all, so that requests with several records are atomic. `fits` turns false at 256 records,
 * 8 MiB or the end of the segment; an empty batch after the next begin() has room for any record within the limits in terms.ts.
 */
import type { Result } from '../../../result.ts'
import type { JournalDisk } from './journal-disks.ts'
import type { JournalReader } from './reader.ts'
import type { Reservation } from './reservation.ts'
import type { JournalEntry, JournalFault, JournalRoom, SegmentInfo } from './terms.ts'

export interface JournalContract {
  /** Sequence of the next record that is appended; 1 in an empty journal. All below are durable. */
  readonly nextSequence: number
  /** Greatest clock in any record, 0 if there is none. */
  readonly lastClock: number
  /** The checksum of the last record (16 hexadecimal digits): store it with the applied sequence and give both to `recover` as `seen`. */
  readonly lastChain: string
  readonly room: JournalRoom
  readonly reader: JournalReader
  begin(): Promise<Result<Reservation, 'unavailable' | 'full'>>
  append(batch: Reservation): Promise<Result<void, 'moved' | 'unavailable' | 'full'>>
  /** Durable records from `from` to `to` (inclusive; the newest at the time of the call), ascending. After a fault nothing more comes. */
  entries(from: number, to: number | undefined, options: { readonly bodies: boolean }): AsyncIterable<Result<JournalEntry, JournalFault>>
  segments(): SegmentInfo[]
  /** Makes again as many copies of each segment as should be, as far as `to` can help: for a disk that is healing. Reads back what it wrote. */
  copySegments(to: JournalDisk, progress: (doneBytes: number, totalBytes: number) => void): Promise<Result<void, JournalFault>>
  close(): void
}
