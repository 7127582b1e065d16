/**
 * The index in memory: for simulations and tests. A state is an immutable list of chunks; a commit copies the chunks that it changes and the list, so
 * that earlier states stay whole and cost little: `states` gives them back, newest last, as an index that a power cut set back would.
 */
import { done, type Result } from '../../../result.ts'
import {
  type Entry,
  type IndexReader,
  type IndexTransaction,
  keyText,
  lowerBound,
  type OrderedMap,
  type PendingChange,
  PendingTransaction,
} from './ordered-map.ts'

type Chunk = { readonly texts: string[]; readonly entries: Entry[] }
/** Chunks in order; none is empty. */
export type MemoryState = readonly Chunk[]

const CHUNK_ENTRIES_MAX = 256

export class MemoryMap implements OrderedMap {
  #state: MemoryState
  readonly #kept: number
  readonly #states: MemoryState[] = []
  /** Makes the next commits fail, as a broken disk of the index would. */
  failing = false

  constructor(options: { readonly state?: MemoryState; readonly statesKept?: number } = {}) {
    this.#state = options.state ?? []
    this.#kept = options.statesKept ?? 0
    this.#keep()
  }

  /** The newest states, the current one last: at most as many as asked for at the start. */
  get states(): readonly MemoryState[] {
    return this.#states
  }

  reader(): IndexReader {
    return new StateReader(this.#state)
  }

  begin(): IndexTransaction {
    return new PendingTransaction(new StateReader(this.#state), (changes) => {
      if (this.failing) return { ok: false, error: 'failed' }
      if (changes.size === 0) return done
      this.#state = changed(this.#state, changes)
      this.#keep()
      return done
    })
  }

  clear(): Result<void, 'failed'> {
    this.#state = []
    this.#keep()
    return done
  }

  async close(): Promise<void> {}

  #keep(): void {
    if (this.#kept === 0) return
    this.#states.push(this.#state)
    if (this.#states.length > this.#kept) this.#states.shift()
  }
}

/** The chunk that holds `text` or where it belongs: the last one that begins at or before it. */
function chunkFor(state: MemoryState, text: string): number {
  let low = 0
  let high = state.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (state[middle]!.texts[0]! <= text) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

function changed(before: MemoryState, changes: ReadonlyMap<string, PendingChange>): MemoryState {
  const state = [...before]
  const own = new Set<Chunk>()
  for (const [text, change] of changes) {
    if (state.length === 0) {
      if (change.value === undefined) continue
      const first: Chunk = { texts: [], entries: [] }
      own.add(first)
      state.push(first)
    }
    const index = chunkFor(state, text)
    let chunk = state[index]!
    if (!own.has(chunk)) {
      chunk = { texts: [...chunk.texts], entries: [...chunk.entries] }
      own.add(chunk)
      state[index] = chunk
    }
    const at = lowerBound(chunk.texts, text)
    const there = chunk.texts[at] === text ? 1 : 0
    if (change.value === undefined) {
      chunk.texts.splice(at, there)
      chunk.entries.splice(at, there)
      if (chunk.texts.length === 0) state.splice(index, 1)
      continue
    }
    chunk.texts.splice(at, there, text)
    chunk.entries.splice(at, there, { key: new Uint8Array(change.key), value: new Uint8Array(change.value) })
    if (chunk.texts.length > CHUNK_ENTRIES_MAX) {
      const half = CHUNK_ENTRIES_MAX / 2
      const rest: Chunk = { texts: chunk.texts.splice(half), entries: chunk.entries.splice(half) }
      own.add(rest)
      state.splice(index + 1, 0, rest)
    }
  }
  return state
}

class StateReader implements IndexReader {
  readonly #state: MemoryState

  constructor(state: MemoryState) {
    this.#state = state
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#state.length === 0) return undefined
    const text = keyText(key)
    const chunk = this.#state[chunkFor(this.#state, text)]!
    const at = lowerBound(chunk.texts, text)
    return chunk.texts[at] === text ? chunk.entries[at]!.value : undefined
  }

  range(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] {
    const found: Entry[] = []
    if (this.#state.length === 0) return found
    const first = keyText(from)
    const end = keyText(to)
    for (let index = chunkFor(this.#state, first); index < this.#state.length; index++) {
      const chunk = this.#state[index]!
      for (let at = lowerBound(chunk.texts, first); at < chunk.texts.length; at++) {
        if (found.length >= limit || chunk.texts[at]! >= end) return found
        found.push(chunk.entries[at]!)
      }
    }
    return found
  }

  rangeBack(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] {
    const found: Entry[] = []
    if (this.#state.length === 0) return found
    const first = keyText(from)
    const end = keyText(to)
    for (let index = chunkFor(this.#state, end); index >= 0; index--) {
      const chunk = this.#state[index]!
      for (let at = lowerBound(chunk.texts, end) - 1; at >= 0; at--) {
        if (found.length >= limit || chunk.texts[at]! < first) return found
        found.push(chunk.entries[at]!)
      }
    }
    return found
  }
}
