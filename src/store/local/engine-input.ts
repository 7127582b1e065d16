/** What an engine is made of and told, and why it may not open. All that is not its own enters here: disks, index, clock, and what surrounds the site. */
import type { Disk } from '../../disks/disk.ts'
import type { Pool } from '../../disks/pool.ts'
import type { Clock } from '../../environment.ts'
import type { Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import type { JournalOptions } from './journal/journal.ts'
import type { ReplayFault } from './replay.ts'
import type { ReplayReport } from './replay-report.ts'
import type { ScrubMemory } from './scrub-record.ts'
import type { PendingRetirement } from './site-file.ts'

export type EngineInput = {
  readonly pool: Pool
  readonly index: OrderedMap
  readonly clock: Clock
  readonly site: SiteId
  readonly epoch: number
  /** The number of this start of the process: greater than any before. */
  readonly start: number
  /** Earlier starts that did not end cleanly: their folders may hold leftovers. */
  readonly uncleanStarts: readonly number[]
  /** Called when nothing is left of an unclean start. */
  readonly onSwept?: (start: number) => Promise<void>
  /** What the site has seen beside the index: a greater sequence there is missed too. */
  readonly seenSequence?: number
  /** An operator's word: go on although the disks hold less than was seen. */
  readonly acceptOlder?: boolean
  /** What an operator decided before this start. */
  readonly pendingRetirement?: PendingRetirement
  /** Undefined forgets it, when it has been acted upon. False: it could not be written. */
  readonly savePendingRetirement?: (pending: PendingRetirement | undefined) => Promise<boolean>
  readonly journalOptions?: JournalOptions
  /** Opens a disk that was out anew, if its directory is there. */
  readonly reopenDisk?: (directory: string) => Promise<Disk | undefined>
  /** Where the scrub remembers how far it is. */
  readonly scrubMemory?: ScrubMemory
  /** Space beside the disks, for the index: 'reserve' when only what frees some may be done. */
  readonly indexRoom?: () => 'ample' | 'reserve'
  /** Tells an operator of trouble, in a sentence. */
  readonly onTrouble?: (sentence: string) => void
  /** How far a replay is that takes long, every few seconds. */
  readonly onReplay?: ReplayReport
  /** A new epoch has begun: to be noted beside the disks. Durable when it resolves. */
  readonly onEpoch?: (epoch: number) => Promise<Result<void, unknown>>
}

export type EngineFault =
  | ReplayFault
  | { readonly kind: 'start-used'; readonly start: number }
  /** Read-only, and no index that could be served. */
  | { readonly kind: 'nothing-to-show' }
