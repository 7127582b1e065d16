/** What an operator may ask of the engine itself: its state, and the work on disks. Served by the thread that owns the journal. */
import type { PoolView } from '../disks/pool-view.ts'
import type { Result } from '../result.ts'

export type EngineStatus = {
  readonly pool: PoolView
  /** Number of the newest change. */
  readonly sequence: number
  /** Shards known to be missing or bad, not yet rebuilt. */
  readonly shardsToRepair: number
}

/** What came of an operator's word that disks are lost for good. */
export type DisksGivenUp = { readonly when: 'now' | 'at-next-start'; readonly givenUp: number | 'unknown'; readonly sentence: string }

export type HealProgress = { readonly doneBytes: number; readonly totalBytes: number }

export interface SiteControl {
  status(): Promise<EngineStatus>
  /**
   * Puts `newDirectory` in the place of the disk at `oldDirectory` and fills it: journal segments first, then shards. Resolves when all of it was read
   * back and the disk is in. The error is a sentence for the operator.
   */
  replaceDisk(oldDirectory: string, newDirectory: string, progress: (step: HealProgress) => void): Promise<Result<void, string>>
  /** `giveUp`: how many acknowledged changes may be lost, where some would be. The error is a sentence for the operator; nothing was changed then. */
  retireDisks(directories: readonly string[], giveUp: string | undefined): Promise<Result<DisksGivenUp, string>>
}
