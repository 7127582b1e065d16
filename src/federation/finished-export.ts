/** An export that had ended, found again in its folder: to tell whoever gives the same command once more whether there is anything left to do. */
import { GROUP_VOLUMES_DEFAULT } from '../bundles/format.ts'
import { type InspectReport, inspectBundle } from '../bundles/inspect-bundle.ts'
import type { ExportPlan } from './export-plan.ts'
import { type Exported, findExported } from './holdings.ts'
import type { Peer } from './peers.ts'
import type { FederationSite } from './site.ts'

export type FinishedExport = { readonly bundle: InspectReport; readonly exported: Exported }

/** Undefined if the folder does not hold a bundle that this site finished for this peer. */
export async function findFinished(site: FederationSite, peer: Peer, out: string): Promise<FinishedExport | undefined> {
  const own = site.identity.publicIdentity
  const looked = await inspectBundle([out], { nowMs: site.clock.nowMs(), trust: (signer) => (signer === own.siteId ? own : undefined) })
  if (!looked.ok || looked.value.sender.site !== own.siteId) return undefined
  const bundle = looked.value
  const exported = await findExported(site.store.federation, bundle.bundleId)
  return exported?.peer === peer.site && exported.manifest === bundle.manifestDigest ? { bundle, exported } : undefined
}

/** What another export by this plan would do better: half a sentence. Undefined if it would make the same again. */
export function whyNotTheSame({ asked, statement }: ExportPlan, { bundle, exported }: FinishedExport, nowMs: number): string | undefined {
  if (bundle.expiresMs !== undefined && bundle.expiresMs < nowMs) return 'it has expired since'
  const off = bundle.volumeFiles.find((file) => file.foundBytes !== file.bytes)
  if (off !== undefined) return `${off.name} ${off.foundBytes === null ? 'is missing from it' : 'has another length than was written'}`
  const brings = JSON.stringify(statement.buckets.map(({ bucket, brings: ranges }) => ({ bucket, ranges })))
  if (exported.origin !== statement.origin || brings !== JSON.stringify(exported.buckets) || statement.returns.length > 0)
    return 'what would be sent now is something else'
  const longest = Math.max(...bundle.volumeFiles.map(({ bytes }) => bytes))
  const parityVolumes = asked.parityVolumes * Math.ceil(bundle.volumes / GROUP_VOLUMES_DEFAULT)
  if (bundle.parityVolumes !== parityVolumes || longest > asked.volumeBytes) return 'it has other volumes than are asked for'
  return undefined
}
