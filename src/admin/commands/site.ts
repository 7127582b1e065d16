import { fingerprint, publicIdentityText } from '../../bundles/identity.ts'
import { fail, ok } from '../../result.ts'
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

/** Where the site is being served, and by which process: for whoever would serve it too. */
export const siteServing: AdminCommand<{ readonly endpoint: string | undefined; readonly pid: number }> = {
  name: 'site/serving',
  async run(site) {
    return ok({ endpoint: site.endpoint, pid: process.pid })
  },
}

/** The encryption keys and when they go; with times given, from now on by these. */
export const siteKeys: AdminCommand = {
  name: 'site/keys',
  async run(site, input) {
    const { showKeys } = await import('../../federation/key-schedule.ts')
    const change: { everyMs?: number; keepMs?: number } = {}
    for (const field of ['everyMs', 'keepMs'] as const) {
      const given = (input as Record<string, unknown> | null)?.[field]
      if (given === undefined) continue
      if (!Number.isSafeInteger(given)) return fail({ exit: 2, sentence: `The request has no right "${field}", a number of milliseconds.` })
      change[field] = given as number
    }
    return asCommand(await showKeys(site.federation, change))
  },
}

export const siteRotateKey: AdminCommand = {
  name: 'site/rotate-key',
  async run(site, input) {
    const { rotateKey } = await import('../../federation/key-schedule.ts')
    const destroySuperseded = (input as { destroySuperseded?: unknown } | null)?.destroySuperseded === true
    return asCommand(await rotateKey(site.federation, { destroySuperseded }))
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
