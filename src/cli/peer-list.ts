/** The peers: how they stand, and what they may do here. */
import type { Command } from 'commander'
import type { FormerRemover, PeerRulesView } from '../federation/peer-rules.ts'
import { end, type MakeCli, onSite } from './cli.ts'
import { formatBytes, parseDuration, table } from './output.ts'

/** `peer`: the group of commands that it belongs to. */
export function addPeerListCommand(peer: Command, makeCli: MakeCli): void {
  peer
    .command('list')
    .argument('<SITE>', 'the directory of the site')
    .option('--stale-after <TIME>', 'warn of peers of which nothing was heard for so long: 7d, 12h', '30d')
    .description('List the peers: their fingerprints, whether they are trusted, when they were last heard of, and what they may do here.')
    .option('--json', 'print JSON')
    .action(async (site: string, flags: { staleAfter: string }, command: Command) => {
      const cli = makeCli(command)
      const staleAfterMs = parseDuration(flags.staleAfter)
      if (staleAfterMs === undefined) return end(2, `--stale-after "${flags.staleAfter}" is no time: write 30d, 12h or 30m.`)
      const listed = await onSite<Listed>(cli, site, 'peer/list', { staleAfterMs })
      const rows = listed.peers.map((entry) => [entry.name, entry.fingerprint, trust(entry), word(entry), applied(entry)])
      const rules = listed.peers.map(
        ({ name, may, hidden }) => `${name} ${may}${hidden.versions === 0 ? '' : ` (${hiddenText(hidden)} now)`}.`,
      )
      const former = listed.former.map(({ site, isThisSite, ...hidden }) => {
        const who =
          isThisSite === true ? `This site itself (${site}), by deletes of its own that came back to it,` : `Site ${site}, no peer,`
        return `${who} removed what can be brought back: ${hiddenText(hidden)}.`
      })
      const peers = table([['PEER', 'FINGERPRINT', 'TRUST', 'NEWEST WORD', 'LAST APPLIED'], ...rows])
      cli.output.result(listed, [peers, '', ...rules, ...former, ...listed.warnings].join('\n').trimEnd())
    })
}

type Entry = Pick<PeerRulesView, 'may' | 'hidden'> & {
  readonly name: string
  readonly fingerprint: string
  readonly compared: boolean
  readonly state: 'trusted' | 'revoked'
  readonly heardMs: number | null
  readonly appliedMs: number | null
  readonly stale: boolean
}
type Listed = { readonly peers: readonly Entry[]; readonly former: readonly FormerRemover[]; readonly warnings: readonly string[] }

const trust = ({ state, compared }: Entry): string => (state === 'revoked' ? 'REVOKED' : compared ? 'compared' : 'NEVER COMPARED')
const day = (ms: number | null): string => (ms === null ? 'never' : new Date(ms).toISOString().slice(0, 16))
const word = ({ heardMs, stale }: Entry): string => day(heardMs) + (stale ? ' (STALE)' : '')
const applied = ({ appliedMs }: Entry): string => day(appliedMs)

export const hiddenText = ({ versions, bytes }: PeerRulesView['hidden']): string =>
  `${versions} ${versions === 1 ? 'version' : 'versions'}, ${formatBytes(bytes)}`
