import { fail, ok } from '../../result.ts'
import { type AdminCommand, stringField } from '../command.ts'

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
  async run(site, input) {
    const { peerStatuses, staleSentences } = await import('../../federation/peer-trust.ts')
    const { formerRemovers, withRules } = await import('../../federation/peer-rules.ts')
    const staleAfterMs = (input as { staleAfterMs?: unknown } | null)?.staleAfterMs
    const statuses = await peerStatuses(site.federation, typeof staleAfterMs === 'number' ? staleAfterMs : undefined)
    return ok({
      peers: await withRules(site.federation, statuses),
      former: await formerRemovers(site.federation, statuses),
      warnings: staleSentences(statuses, site.clock.nowMs()),
    })
  },
}
