/** The commit thread: the engine, and the ports by which the other threads reach it. */
import type { MessagePort } from 'node:worker_threads'
import type { PoolView } from '../disks/pool-view.ts'
import { openLocalSite } from '../store/local/open-site.ts'
import type { SiteId } from '../store/terms.ts'
import type { BeginThread } from './begin-thread.ts'
import { serveCommits } from './commits-port.ts'
import { serveControl } from './control-port.ts'
import { engineControl } from './engine-control.ts'
import { serveFeed } from './feed-port.ts'

export type CommitOptions = { readonly siteDirectory: string; readonly acceptOlder: boolean }

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

/** Opens the site and serves the other threads until it is told to stop. */
export const begin: BeginThread<CommitOptions, ToCommit> = async ({ siteDirectory, acceptOlder }, { clock, random }, main) => {
  const send = (message: FromCommit): void => main.postMessage(message)
  const opened = await openLocalSite({
    siteDirectory,
    clock,
    random,
    ...(acceptOlder ? { acceptOlder: true } : {}),
    onTrouble: (line) => send({ kind: 'log', line }),
    onReplay: (change, last) => send({ kind: 'log', line: `Rebuilding the index from the journal: change ${change} of ${last}.` }),
  })
  if (!opened.ok) {
    send({ kind: 'refused', sentence: opened.error.sentence })
    return undefined
  }
  const { engine, name, site, epoch, start, close } = opened.value
  send({ kind: 'ready', name, site, epoch, start, board: engine.board.memory, view: engine.pool.view })
  return {
    async receive(message) {
      if (message.kind === 'stop') {
        await close()
        send({ kind: 'stopped' })
      } else if (message.what === 'commits') serveCommits(message.port, engine.addLane())
      else if (message.what === 'control') serveControl(message.port, engineControl(opened.value, clock))
      else serveFeed(message.port, engine.journal)
    },
  }
}
