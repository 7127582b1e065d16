import { fingerprint, publicIdentityText } from '../../bundles/identity.ts'
import { fail, ok } from '../../result.ts'
import { type AdminCommand, stringField } from '../command.ts'

/** The public identity of the site, to be given to its peers, and the fingerprint that they compare. */
export const siteIdentity: AdminCommand<{ readonly identity: string; readonly fingerprint: string }> = {
  name: 'site/identity',
  async run(site) {
    const { publicIdentity } = site.federation.identity
    return ok({ identity: publicIdentityText(publicIdentity), fingerprint: fingerprint(publicIdentity) })
  },
}

export const peerAdd: AdminCommand = {
  name: 'peer/add',
  async run(site, input) {
    const identityText = stringField(input, 'identityText')
    if (!identityText.ok) return identityText
    const name = stringField(input, 'name')
    if (!name.ok) return name
    const compared = stringField(input, 'fingerprint')
    const { addPeer } = await import('../../federation/peers.ts')
    const added = await addPeer(site.federation, {
      identityText: identityText.value,
      name: name.value,
      ...(compared.ok ? { fingerprint: compared.value } : {}),
    })
    return added.ok ? added : fail({ exit: added.error.exit, sentence: added.error.sentence, details: { kind: added.error.kind } })
  },
}

export const peerList: AdminCommand = {
  name: 'peer/list',
  async run(site) {
    const { listPeers } = await import('../../federation/peers.ts')
    const { formerRemovers, withRules } = await import('../../federation/peer-rules.ts')
    const peers = await listPeers(site.federation)
    return ok({ peers: await withRules(site.federation, peers), former: await formerRemovers(site.federation, peers) })
  },
}
