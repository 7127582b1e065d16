/** What the federation needs of the site that it works for, and how it says no. */
import type { PrivateIdentity } from '../bundles/identity.ts'
import type { Clock, Random } from '../environment.ts'
import type { Store } from '../store/store.ts'

export type FederationSite = {
  readonly store: Store
  readonly identity: PrivateIdentity
  /** Canonical id of the owner of buckets that come from elsewhere. */
  readonly ownerId: string
  /** Where exports under way keep their state (0600, it holds keys): SITE/exports. */
  readonly stateDirectory: string
  readonly clock: Clock
  readonly random: Random
}

/** For the command line: its exit code, a word for scripts, and one sentence: what was wrong and what to do. */
export type FederationFault = {
  /** 3 damaged but repairable, 4 signer not trusted, 5 refused, 6 incomplete. */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6
  readonly kind: string
  readonly sentence: string
}

export type FederationProgress = (step: { readonly what: string; readonly done: number; readonly total: number; readonly unit: 'bytes' | 'items' }) => void
