/** What an operator may ask of the engine itself: its state, and the work on disks. Served by the thread that owns the journal. */
import type { PoolView } from '../disks/pool-view.ts'
import type { ScrubbedDisk } from '../disks/scrubbed-disk.ts'
import type { Result } from '../result.ts'

export type EngineStatus = {
  readonly pool: PoolView
  /** Number of the newest change. */
  readonly sequence: number
  /** Shards known to be missing or bad, not yet rebuilt. */
  readonly shardsToRepair: number
  readonly scrub: ScrubStatus
}

export type ReplaceRequest = { readonly oldDirectory: string; readonly newDirectory: string; readonly force: boolean }
/** What came of an operator's word that disks are lost for good. */
export type DisksGivenUp = { readonly when: 'now' | 'at-next-start'; readonly givenUp: number | 'unknown'; readonly sentence: string }

export type HealProgress = { readonly doneBytes: number; readonly totalBytes: number }

/** What is under way of reading everything on the disks, and what the last whole pass found. */
export type ScrubStatus = {
  readonly running?: { readonly by: 'operator' | 'itself'; readonly doneBytes: number; readonly totalBytes: number }
  readonly last?: { readonly endedMs: number; readonly bytes: number; readonly repaired: number; readonly remaining: number }
}

export type ScrubReport = {
  readonly disks: readonly ScrubbedDisk[]
  readonly bytes: number
  readonly repaired: number
  readonly remaining: number
  /** What cannot be read any more: versions, and parts of uploads. At most 1,000 are named. */
  readonly lost: {
    readonly named: readonly { readonly bucket: string; readonly key: string; readonly versionId?: string; readonly part?: number }[]
    readonly more: number
  }
  /** Segments of the journal with records that no copy has. */
  readonly lostSegments: readonly number[]
}

/** A sentence for the operator; 3: something is damaged, 5: it did not come to it. */
export type ScrubRefusal = { readonly exit: 3 | 5; readonly sentence: string }

export interface SiteControl {
  status(): Promise<EngineStatus>
  /**
   * Puts `newDirectory` in the place of the disk at `oldDirectory` and fills it: journal segments first, then shards. Resolves when all of it was read
   * back and the disk is in; an old one that works serves until then. `force`: also if that works and another is out. The error is a sentence for the operator.
   */
  replaceDisk(request: ReplaceRequest, progress: (step: HealProgress) => void): Promise<Result<void, string>>
  /** Reads everything on every disk that is in and repairs what can be, until it is done or `signal` is aborted. */
  scrub(
    options: { readonly bytesPerSecond?: number },
    progress: (step: HealProgress) => void,
    signal: AbortSignal,
  ): Promise<Result<ScrubReport, ScrubRefusal>>
  /** `giveUp`: how many acknowledged changes may be lost, where some would be. The error is a sentence for the operator; nothing was changed then. */
  retireDisks(directories: readonly string[], giveUp: string | undefined): Promise<Result<DisksGivenUp, string>>
  /** Begins a new epoch: durable in the journal and in the site's file. Stamps are greater than `clock` from then on. The error is the store's word for it. */
  beginEpoch(epoch: number, clock: number): Promise<Result<void, unknown>>
}
