/** The journal's records, read from another thread than the one that holds the journal: in pages, so that neither side holds many. */
import type { MessagePort } from 'node:worker_threads'
import type { Result } from '../result.ts'
import type { JournalEntry, JournalFault } from '../store/local/journal/terms.ts'
import type { Feed } from '../store/local/operation-reader.ts'

const PAGE_ENTRIES_MAX = 256
const PAGE_BYTES_MAX = 1024 * 1024

type Ask = { readonly number: number; readonly from: number; readonly to: number | undefined }
type Page = {
  readonly number: number
  readonly entries: readonly JournalEntry[]
  readonly fault?: JournalFault
  /** There is nothing behind this page. */
  readonly end: boolean
}

export class FeedPort implements Feed {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, (page: Page) => void>()
  #nextNumber = 0

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (page: Page) => {
      this.#waiting.get(page.number)?.(page)
      this.#waiting.delete(page.number)
    })
  }

  async *entries(from: number, to: number | undefined): AsyncIterable<Result<JournalEntry, JournalFault>> {
    for (let next = from; ; ) {
      const page = await this.#ask(next, to)
      for (const value of page.entries) {
        yield { ok: true, value }
        next = value.sequence + 1
      }
      if (page.fault !== undefined) yield { ok: false, error: page.fault }
      if (page.end) return
    }
  }

  #ask(from: number, to: number | undefined): Promise<Page> {
    const number = this.#nextNumber++
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve)
      const ask: Ask = { number, from, to }
      this.#port.postMessage(ask)
    })
  }
}

/** The side of the thread that holds the journal. */
export function serveFeed(port: MessagePort, feed: Feed): void {
  port.on('message', (ask: Ask) => {
    void readPage(feed, ask).then((page) => port.postMessage(page))
  })
}

async function readPage(feed: Feed, { number, from, to }: Ask): Promise<Page> {
  const entries: JournalEntry[] = []
  let bytes = 0
  for await (const entry of feed.entries(from, to, { bodies: false })) {
    if (!entry.ok) return { number, entries, fault: entry.error, end: true }
    // An array of its own: a message copies the whole buffer that a view looks into.
    entries.push({ ...entry.value, metadata: entry.value.metadata.slice() })
    bytes += entry.value.metadata.length
    if (entries.length >= PAGE_ENTRIES_MAX || bytes >= PAGE_BYTES_MAX) return { number, entries, end: false }
  }
  return { number, entries, end: true }
}
