import type { SetPeerInput } from '../../federation/peer-rules.ts'
import type { UndoInput } from '../../federation/undo.ts'
import { type AdminCommand, stringField } from '../command.ts'
import { asCommand } from './bundles.ts'

/** What a peer may do here. */
export const peerSet: AdminCommand = {
  name: 'peer/set',
  async run(site, input) {
    const peer = stringField(input, 'peer')
    if (!peer.ok) return peer
    const { setPeer } = await import('../../federation/peer-rules.ts')
    return asCommand(await setPeer(site.federation, input as SetPeerInput))
  },
}

/** Brings back what a peer removed. */
export const peerUndo: AdminCommand = {
  name: 'peer/undo',
  async run(site, input, progress) {
    const peer = stringField(input, 'peer')
    if (!peer.ok) return peer
    const { undo } = await import('../../federation/undo.ts')
    return asCommand(await undo(site.federation, input as UndoInput, progress))
  },
}
