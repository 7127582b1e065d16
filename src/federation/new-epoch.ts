/** Begins a new epoch of this site: what `holdfast site new-epoch` does after a restore from an older copy, or where there is a clone. */
import type { Result } from '../result.ts'
import { type FederationFault, type FederationSite, Refusal, refusable, storeRefusal } from './site.ts'
import { findStopped, forgetStopped } from './stopped.ts'

/** Makes it durable; every later stamp is greater than `clock`. */
export type BeginEpoch = (epoch: number, clock: number) => Promise<Result<void, unknown>>

export type NewEpochReport = { readonly sentence: string; readonly epoch: number; readonly before: number }

/** Beyond this a stamp is a fault or an attack, and nothing to catch up with. */
const AHEAD_MS_MAX = 24 * 60 * 60 * 1000

/** Begins a new epoch and forgets that the site was stopped. Faults: under-way (an export), those of the store. */
export function newEpoch(site: FederationSite, begin: BeginEpoch): Promise<Result<NewEpochReport, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    if (site.underWay.size > 0)
      throw new Refusal(
        5,
        'under-way',
        'An export is under way, and would be of two epochs: wait for it to end, or stop it, then run this again.',
      )
    const before = store.epoch
    const stopped = await findStopped(store)
    const epoch = Math.max(before, stopped?.seenEpoch ?? 0) + 1
    const latest = (site.clock.nowMs() + AHEAD_MS_MAX) * 1000
    const begun = await begin(epoch, Math.min(stopped?.clock ?? 0, latest))
    if (!begun.ok) throw storeRefusal('A new epoch could not be begun', begun.error)
    if (stopped !== undefined) await forgetStopped(store)
    const sentence =
      `Epoch ${epoch} of this site has begun: all that it holds of its own is signed anew, under the same numbers. Export to every peer and import what they then send: ` +
      'that brings back what they have and this site lost. What was exported under an earlier epoch is refused there from then on; of two clones, let one go on only.'
    return { sentence, epoch, before }
  })
}
