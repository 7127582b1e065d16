/** What a bundle is made from. */
import type { Random } from '../environment.ts'
import type { BundleEntry } from './bundle-entry.ts'
import type { BundleState } from './bundle-state.ts'
import type { PrivateIdentity, PublicIdentity } from './identity.ts'
import type { Json } from './json.ts'
import type { OutputFolder } from './media.ts'

export type BundleProgress = { readonly phase: 'sealing' | 'parity'; readonly doneBytes: number; readonly volumes: number }

export type WriteBundleInput = {
  /** The folder; made if it is not there, empty unless `state` is given. */
  readonly out: string | OutputFolder
  readonly state?: BundleState
  /** Must be durable when it resolves. */
  saveState(state: BundleState): Promise<void>
  readonly random: Random
  readonly nowMs: number
  readonly signer: PrivateIdentity
  /** The signer's epoch. */
  readonly epoch: number
  readonly recipients: readonly PublicIdentity[]
  /** What it needs and brings. `sealed` only recipients read; `needs` stands in clear and must name no bucket, key, count or label. */
  readonly statement: { readonly sealed: Json; readonly needs: Json }
  readonly expiresMs?: number
  /** Shown in clear. */
  readonly marking?: string
  readonly volumeBytes: number
  /** Per group. */
  readonly parityVolumes: number
  readonly groupVolumes?: number
  /** From entry number `fromEntry` (from 0) on. */
  entries(fromEntry: number): AsyncIterable<BundleEntry>
  readonly progress?: (progress: BundleProgress) => void
  readonly signal?: AbortSignal
}
