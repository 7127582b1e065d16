/** The folders of extents: each is made once per disk and process, and extents that finish together share its sync. */
import type { Result } from '../result.ts'
import type { Disk, DiskFault } from './disk.ts'

type Outcome = Promise<Result<void, DiskFault>>
/** A sync that has begun may have missed what was added since; so whoever comes later shares the next one. */
type Syncs = { running: Outcome; next: Outcome | undefined }

/** Folders remembered as made, per disk: 4,096 extents go into each. */
const FOLDERS_MAX = 64

export class ExtentFolders {
  readonly #made = new WeakMap<Disk, Map<string, Outcome>>()
  readonly #syncs = new WeakMap<Disk, Map<string, Syncs>>()

  make(disk: Disk, folder: string): Outcome {
    const made = entry(this.#made, disk)
    let outcome = made.get(folder)
    if (outcome === undefined) {
      outcome = disk.makeFolder(folder)
      made.set(folder, outcome)
      if (made.size > FOLDERS_MAX)
        for (const oldest of made.keys()) {
          made.delete(oldest)
          break
        }
      void outcome.then((result) => {
        if (!result.ok) made.delete(folder)
      })
    }
    return outcome
  }

  /**
   * A file was not found in the folder: it may have been removed while it was empty, unless the whole disk is gone, in which case it must not be
   * made in what is left of its mount point.
   */
  async makeAgain(disk: Disk, folder: string): Outcome {
    const alive = await disk.check()
    if (!alive.ok) return alive
    this.#made.get(disk)?.delete(folder)
    return this.make(disk, folder)
  }

  /** Names added to the folder before the call are durable afterwards. */
  sync(disk: Disk, folder: string): Outcome {
    const syncs = entry(this.#syncs, disk)
    const known = syncs.get(folder)
    if (known === undefined) return this.#sync(syncs, disk, folder)
    known.next ??= known.running.then(() => this.#sync(syncs, disk, folder))
    return known.next
  }

  #sync(syncs: Map<string, Syncs>, disk: Disk, folder: string): Outcome {
    const running = disk.syncFolder(folder)
    const mine: Syncs = { running, next: undefined }
    syncs.set(folder, mine)
    void running.then(() => {
      if (mine.next === undefined) syncs.delete(folder)
    })
    return running
  }
}

function entry<T>(maps: WeakMap<Disk, Map<string, T>>, disk: Disk): Map<string, T> {
  let map = maps.get(disk)
  if (map === undefined) {
    map = new Map()
    maps.set(disk, map)
  }
  return map
}
