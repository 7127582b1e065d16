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

export type HealProgress = { readonly doneBytes: number; readonly totalBytes: number }

export interface SiteControl {
  status(): Promise<EngineStatus>
  /**
   * Puts `newDirectory` in the place of the disk at `oldDirectory` and fills it: journal segments first, then shards. Resolves when all of it was read
   * back and the disk is in. The error is a sentence for the operator.
   */
  replaceDisk(oldDirectory: string, newDirectory: string, progress: (step: HealProgress) => void): Promise<Result<void, string>>
  /** Begins a new epoch: durable in the journal and in the site's file. Stamps are greater than `clock` from then on. The error is the store's word for it. */
  beginEpoch(epoch: number, clock: number): Promise<Result<void, unknown>>
}
