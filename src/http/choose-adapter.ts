import { ok, type Result } from '../result.ts'
import type { HttpServerFault } from './listen.ts'
import { type CheckedUws, loadUws, type UwsLoadOptions } from './uws-load.ts'

/** What was asked for; 'fastest': uWebSockets.js where it serves as it should. */
export type WantedAdapter = 'uws' | 'node' | 'fastest'

export type ChosenAdapter = ({ readonly kind: 'uws'; readonly library: CheckedUws } | { readonly kind: 'node' }) & {
  /** A sentence for the operator who gets less than he may expect. */
  readonly warning?: string
}

/** As an operator is told. */
export type ServingAdapter = { readonly kind: 'uws' | 'node'; readonly name: string }

export const namedAdapter = ({ kind }: ChosenAdapter): ServingAdapter => ({ kind, name: kind === 'uws' ? 'uWebSockets.js' : 'node:http' })

/**
 * The library of uWebSockets.js can be corrected on Linux x64 only (uws-corrections.ts), and what it does uncorrected is less than what Holdfast promises: then
 * node:http serves, unless the operator says otherwise. Error: it was asked for and does not load.
 */
export function chooseAdapter(wanted: WantedAdapter, options: UwsLoadOptions = {}): Result<ChosenAdapter, HttpServerFault> {
  if (wanted === 'node') return ok({ kind: 'node' })
  const loaded = loadUws(options)
  if (loaded.ok && loaded.value.corrected) return ok({ kind: 'uws', library: loaded.value })
  if (wanted === 'uws') {
    return loaded.ok ? ok({ kind: 'uws', library: loaded.value, warning: UNCORRECTED }) : loaded
  }
  const why = loaded.ok ? 'could not be corrected on this machine' : `does not load on this machine: ${loaded.error.reason}`
  return ok({
    kind: 'node',
    warning: `node:http serves, which takes about two and a half times the processor time for small requests (uWebSockets.js ${why}).`,
  })
}

const UNCORRECTED =
  'uWebSockets.js serves without the corrections that Linux x64 gets: uploads are asked for before they are refused, a pipelined request may close the ' +
  'connection unanswered, header values lose bytes beyond ASCII at their ends, a header without a name hides all behind it (behind a proxy: a way to smuggle ' +
  'requests), and fast uploads take more memory. "--http node" has none of this.'
