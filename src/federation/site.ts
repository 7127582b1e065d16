/** What the federation needs of the site that it works for, and how it says no. */
import { type BundleFault, exitCode } from '../bundles/fault.ts'
import type { PrivateIdentity } from '../bundles/identity.ts'
import type { Clock, Random } from '../environment.ts'
import type { Lock } from '../lock.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Store } from '../store/store.ts'

export type FederationSite = {
  readonly store: Store
  /** The present one: it changes when an encryption key is added or destroyed. */
  readonly identity: PrivateIdentity
  /** Puts another one in its place, durably; what is not in it any more is overwritten. */
  keepIdentity(identity: PrivateIdentity): void
  /** Canonical id of the owner of buckets that come from elsewhere. */
  readonly ownerId: string
  /** Where exports under way keep their state (0600, it holds keys): SITE/exports. */
  readonly stateDirectory: string
  readonly clock: Clock
  readonly random: Random
  /** Folders that exports are being written to now, by the place that their paths lead to: one at a time to each. Empty when the process starts. */
  readonly underWay: Set<string>
  /** Of imports: two at a time would stage the same content twice, and each would make the buckets that the other is making. */
  readonly imports: Lock
  /** How many bytes of content still fit above the reserve. Without it an import finds out when it gets there. */
  freeBytes?(): Promise<number>
}

/** For the command line: its exit code, a word for scripts, and one sentence: what was wrong and what to do. */
export type FederationFault = {
  /** 3 damaged but repairable, 4 signer not trusted, 5 refused, 6 incomplete. */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6
  readonly kind: string
  readonly sentence: string
  /** For --json: what a script may want to know. */
  readonly details?: unknown
}

export type FederationProgress = (step: {
  readonly what: string
  readonly done: number
  readonly total: number
  readonly unit: 'bytes' | 'items'
}) => void

/**
 * Carries a fault up to the command that was asked for: plans, checks and documents are read through several layers, where each would only hand it on.
 * Thrown inside `federation` only; every function that others call catches it and answers a Result.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly fault: FederationFault

  constructor(exit: FederationFault['exit'], kind: string, sentence: string, details?: unknown) {
    super(sentence)
    this.fault = { exit, kind, sentence, ...(details === undefined ? {} : { details }) }
  }
}

/** Makes a Refusal that is thrown within the answer. */
export async function refusable<T>(work: () => Promise<T>): Promise<Result<T, FederationFault>> {
  try {
    return ok(await work())
  } catch (error) {
    if (error instanceof Refusal) return fail(error.fault)
    throw error
  }
}

/** The value, or the fault of a bundle in the words of the command line. */
export function opened<T>(result: Result<T, BundleFault>): T {
  if (result.ok) return result.value
  throw new Refusal(exitCode(result.error.kind), result.error.kind, result.error.sentence)
}

const STORE_FAULTS: Readonly<Record<string, string>> = {
  'slow-down': 'this site is too busy with other writes',
  'read-only': 'this site is read-only until an operator decides; see "holdfast status"',
  full: 'its disks are full: make room',
  unavailable: 'too few of its disks are in; see "holdfast status"',
  damaged: 'stored bytes cannot be read back by any means; see "holdfast status"',
  conflict: 'something else changed the same at that moment',
}

/** A change that the store did not take. `what`: "The peer could not be noted". */
export const storeRefusal = (what: string, fault: unknown): Refusal => {
  const kind = typeof fault === 'string' ? fault : 'store'
  return new Refusal(6, kind, `${what}: ${STORE_FAULTS[kind] ?? kind}. Run it again to go on.`)
}
