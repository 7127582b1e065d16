/** The way from a thread's store to the commit thread: the committer itself in one process, a message port between threads. */
import type { DiskFault } from '../../disks/disk.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { PoolView } from '../../disks/pool-view.ts'
import type { ChangeReply, ChangeRequest } from './changes/request.ts'

export interface Commits {
  /** Resolves when the change is durable and to be read, or refused. Never rejects. */
  submit(change: ChangeRequest): Promise<ChangeReply>
  /** A disk failed an operation. */
  reportFault(set: number, position: number, fault: DiskFault): void
  /** A shard is missing or bad on a disk that works. */
  reportBadShard(place: ExtentPlace, shard: number): void
  /** A copy of a journal segment is bad on a disk that works. */
  reportBadCopy(set: number, position: number, segment: number): void
  /** The newest known to this thread. */
  readonly view: PoolView
  /** Calls `listener` after each change of the view; the returned function ends that. */
  onView(listener: (view: PoolView) => void): () => void
}
