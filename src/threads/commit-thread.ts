/** The commit thread: the engine, and the ports by which the other threads reach it. */
import { type MessagePort, parentPort } from 'node:worker_threads'
import type { PoolView } from '../disks/pool-view.ts'
import type { Clock, Random } from '../environment.ts'
import { openLocalSite } from '../store/local/open-site.ts'
import type { SiteId } from '../store/terms.ts'
import { serveCommits } from './commits-port.ts'
import { serveControl } from './control-port.ts'
import { engineControl } from './engine-control.ts'
import { serveFeed } from './feed-port.ts'

export type CommitOptions = { readonly role: 'commit'; readonly siteDirectory: string; readonly acceptOlder: boolean }

/** What the other threads have to know of the site that was opened. Plain data. */
export type OpenedSite = {
  readonly name: string
  readonly site: SiteId
  readonly epoch: number
  readonly start: number
  readonly board: SharedArrayBuffer
  readonly view: PoolView
}

export type ToCommit =
  | { readonly kind: 'attach'; readonly what: 'commits' | 'control' | 'feed'; readonly port: MessagePort }
  | { readonly kind: 'stop' }
export type FromCommit =
  | ({ readonly kind: 'ready' } & OpenedSite)
  | { readonly kind: 'refused'; readonly sentence: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'log'; readonly line: string }

/** Opens the site and serves the other threads until it is told to stop. In a worker thread only. */
export async function runCommitThread(
  options: CommitOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  const main = parentPort
  if (main === null) throw new Error('the commit thread runs in a worker thread')
  const send = (message: FromCommit): void => main.postMessage(message)
  const opened = await openLocalSite({
    siteDirectory: options.siteDirectory,
    clock,
    random,
    ...(options.acceptOlder ? { acceptOlder: true } : {}),
    onTrouble: (line) => send({ kind: 'log', line }),
    onReplay: (change, last) => send({ kind: 'log', line: `Rebuilding the index from the journal: change ${change} of ${last}.` }),
  })
  if (!opened.ok) {
    send({ kind: 'refused', sentence: opened.error.sentence })
    return
  }
  const { engine, name, site, epoch, start, close } = opened.value
  main.on('message', (message: ToCommit) => {
    if (message.kind === 'stop') {
      void close().then(() => send({ kind: 'stopped' }))
    } else if (message.what === 'commits') serveCommits(message.port, engine.addLane())
    else if (message.what === 'control') serveControl(message.port, engineControl(opened.value, clock))
    else serveFeed(message.port, engine.journal)
  })
  send({ kind: 'ready', name, site, epoch, start, board: engine.board.memory, view: engine.pool.view })
}
