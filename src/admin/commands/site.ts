import { fingerprint, publicIdentityText } from '../../bundles/identity.ts'
import { ok } from '../../result.ts'
import type { AdminCommand } from '../command.ts'
import { asCommand } from './bundles.ts'

/** The public identity of the site, to be given to its peers, and the fingerprint that they compare. */
export const siteIdentity: AdminCommand<{ readonly identity: string; readonly fingerprint: string }> = {
  name: 'site/identity',
  async run(site) {
    const { publicIdentity } = site.federation.identity
    return ok({ identity: publicIdentityText(publicIdentity), fingerprint: fingerprint(publicIdentity) })
  },
}

/** After a restore from an older copy, or where there is a clone. */
export const siteNewEpoch: AdminCommand = {
  name: 'site/new-epoch',
  async run(site) {
    const { newEpoch } = await import('../../federation/new-epoch.ts')
    return asCommand(await newEpoch(site.federation, (epoch, clock) => site.control.beginEpoch(epoch, clock)))
  },
}
