/** The LocalStore of a thread other than the commit thread. */
import type { MessagePort } from 'node:worker_threads'
import type { Clock } from '../environment.ts'
import { openReaderParts, type ReaderParts } from '../store/local/reader-parts.ts'
import type { OpenedSite } from './commit-thread.ts'
import { CommitsPort } from './commits-port.ts'
import { FeedPort } from './feed-port.ts'

export type ThreadStoreOptions = {
  readonly siteDirectory: string
  /** 1 to 63; each thread has its own. */
  readonly thread: number
  readonly opened: OpenedSite
  readonly commitsPort: MessagePort
  /** Only where bundles are made. */
  readonly feedPort?: MessagePort
}

/** Throws if the index cannot be opened: the commit thread has just done so. */
export async function openThreadStore(options: ThreadStoreOptions, clock: Clock): Promise<ReaderParts> {
  const { site, epoch, start, board, view } = options.opened
  const parts = await openReaderParts({
    siteDirectory: options.siteDirectory,
    thread: options.thread,
    board,
    commits: new CommitsPort(options.commitsPort, view),
    clock,
    site,
    epoch,
    start,
    ...(options.feedPort === undefined ? {} : { feed: new FeedPort(options.feedPort) }),
  })
  if (!parts.ok) throw new Error('The index cannot be opened by another thread: check the disk of the site directory.')
  return parts.value
}
