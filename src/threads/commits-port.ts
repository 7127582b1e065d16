/**
 * The commit thread's `Commits`, seen from another thread. Requests made in one turn of the event loop travel in one message, and so do the replies of
 * one batch: a message costs more than what it carries.
 */
import type { MessagePort } from 'node:worker_threads'
import type { DiskFault } from '../disks/disk.ts'
import type { ExtentPlace } from '../disks/geometry.ts'
import { type PoolView, slotAt } from '../disks/pool-view.ts'
import type { ChangeReply, ChangeRequest } from '../store/local/changes/request.ts'
import type { Commits } from '../store/local/commits.ts'

type ToCommits =
  | { readonly kind: 'changes'; readonly first: number; readonly changes: readonly ChangeRequest[] }
  /** `diskId`: the disk that was there for the thread that saw the fault; it may have been replaced since. */
  | {
      readonly kind: 'fault'
      readonly set: number
      readonly position: number
      readonly diskId: string | undefined
      readonly fault: DiskFault
    }
  | { readonly kind: 'bad-copy'; readonly set: number; readonly position: number; readonly segment: number }
  | { readonly kind: 'bad-shard'; readonly place: ExtentPlace; readonly shard: number }

type FromCommits =
  | { readonly kind: 'replies'; readonly replies: readonly (readonly [number, ChangeReply])[] }
  | { readonly kind: 'view'; readonly view: PoolView }

const diskIdAt = (view: PoolView, set: number, position: number): string | undefined => slotAt(view, set, position)?.diskId

/** The side of the thread that asks. */
export class CommitsPort implements Commits {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, (reply: ChangeReply) => void>()
  readonly #listeners = new Set<(view: PoolView) => void>()
  #view: PoolView
  #outgoing: ChangeRequest[] = []
  #nextNumber = 0

  constructor(port: MessagePort, view: PoolView) {
    this.#port = port
    this.#view = view
    port.on('message', (message: FromCommits) => this.#receive(message))
  }

  get view(): PoolView {
    return this.#view
  }

  submit(change: ChangeRequest): Promise<ChangeReply> {
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush())
    this.#outgoing.push(change)
    const number = this.#nextNumber++
    return new Promise((resolve) => this.#waiting.set(number, resolve))
  }

  reportFault(set: number, position: number, fault: DiskFault): void {
    this.#send({ kind: 'fault', set, position, diskId: diskIdAt(this.#view, set, position), fault })
  }

  reportBadShard(place: ExtentPlace, shard: number): void {
    this.#send({ kind: 'bad-shard', place, shard })
  }

  reportBadCopy(set: number, position: number, segment: number): void {
    this.#send({ kind: 'bad-copy', set, position, segment })
  }

  onView(listener: (view: PoolView) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #flush(): void {
    const changes = this.#outgoing
    this.#outgoing = []
    this.#send({ kind: 'changes', first: this.#nextNumber - changes.length, changes })
  }

  #send(message: ToCommits): void {
    this.#port.postMessage(message)
  }

  #receive(message: FromCommits): void {
    if (message.kind === 'view') {
      this.#view = message.view
      for (const listener of this.#listeners) listener(message.view)
      return
    }
    for (const [number, reply] of message.replies) {
      this.#waiting.get(number)?.(reply)
      this.#waiting.delete(number)
    }
  }
}

/** The commit thread's side: answers one other thread until its port closes. */
export function serveCommits(port: MessagePort, commits: Commits): void {
  let replies: [number, ChangeReply][] = []
  const send = (message: FromCommits): void => port.postMessage(message)
  const stopViews = commits.onView((view) => send({ kind: 'view', view }))
  // The asking side has the view of when the site was opened: the pool may have changed since.
  send({ kind: 'view', view: commits.view })
  const flush = (): void => {
    const ready = replies
    replies = []
    send({ kind: 'replies', replies: ready })
  }
  const answer = async (number: number, change: ChangeRequest): Promise<void> => {
    const reply = await commits.submit(change)
    // The replies of one batch resolve in one turn: they are all here before the microtask that the first of them queues.
    if (replies.length === 0) queueMicrotask(flush)
    replies.push([number, reply])
  }
  port.on('message', (message: ToCommits) => {
    if (message.kind === 'fault') {
      const isStillThere = diskIdAt(commits.view, message.set, message.position) === message.diskId
      if (isStillThere) commits.reportFault(message.set, message.position, message.fault)
    } else if (message.kind === 'bad-shard') commits.reportBadShard(message.place, message.shard)
    else if (message.kind === 'bad-copy') commits.reportBadCopy(message.set, message.position, message.segment)
    else for (const [offset, change] of message.changes.entries()) void answer(message.first + offset, change)
  })
  port.on('close', stopViews)
}
