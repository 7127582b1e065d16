import { type AdminCommand, stringField } from '../command.ts'
import { asCommand } from './bundles.ts'

export const peerRemove: AdminCommand = {
  name: 'peer/remove',
  async run(site, input) {
    const name = stringField(input, 'name')
    if (!name.ok) return name
    const { removePeer } = await import('../../federation/peer-trust.ts')
    return asCommand(await removePeer(site.federation, name.value))
  },
}

export const peerApprovals: AdminCommand = {
  name: 'peer/approvals',
  async run(site, input) {
    const name = stringField(input, 'name')
    if (!name.ok) return name
    const { needSigners } = await import('../../federation/peer-trust.ts')
    return asCommand(await needSigners(site.federation, name.value, Number((input as { count?: unknown }).count)))
  },
}

export const peerRevoke: AdminCommand = {
  name: 'peer/revoke',
  async run(site, input) {
    const name = stringField(input, 'name')
    if (!name.ok) return name
    const { revokePeer } = await import('../../federation/peer-trust.ts')
    return asCommand(await revokePeer(site.federation, name.value))
  },
}
