/** Commands that end the trust in a peer, and show how it stands. */
import type { Command } from 'commander'
import { end, type MakeCli, onSite } from './cli.ts'
import { parseDuration, table } from './output.ts'

export function addPeerTrustCommands(peer: Command, makeCli: MakeCli): void {
  addEnd(peer, makeCli, 'remove', 'Forget a peer. What it sent stays; its bundles are refused from then on.')
  addEnd(
    peer,
    makeCli,
    'revoke',
    'Refuse whatever a peer signed, whenever it did: its keys may be in other hands. Undone by "peer add" with --fingerprint.',
  )
  peer
    .command('approvals')
    .argument('<SITE>', 'the directory of the site')
    .argument('<PEER>', 'what the peer is called here')
    .argument('<COUNT>', 'how many sites that are trusted here must have signed its bundles, itself among them')
    .description('Take bundles of a peer only if other trusted sites have approved them.')
    .option('--json', 'print JSON')
    .action(async (site: string, name: string, count: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const noted = await onSite<{ sentence: string }>(cli, site, 'peer/approvals', { name, count: Number(count) })
      cli.output.result(noted, noted.sentence)
    })
  peer
    .command('list')
    .argument('<SITE>', 'the directory of the site')
    .option('--stale-after <TIME>', 'warn of peers of which nothing was heard for so long: 7d, 12h', '30d')
    .description('List the peers: their fingerprints, whether they are trusted, and when they were last heard of.')
    .option('--json', 'print JSON')
    .action(async (site: string, flags: { staleAfter: string }, command: Command) => {
      const cli = makeCli(command)
      const staleAfterMs = parseDuration(flags.staleAfter)
      if (staleAfterMs === undefined) return end(2, `--stale-after "${flags.staleAfter}" is no time: write 30d, 12h or 30m.`)
      const listed = await onSite<Listed>(cli, site, 'peer/list', { staleAfterMs })
      const rows = listed.peers.map((entry) => [entry.name, entry.fingerprint, trust(entry), word(entry), applied(entry)])
      cli.output.result(
        listed,
        [table([['PEER', 'FINGERPRINT', 'TRUST', 'NEWEST WORD', 'LAST APPLIED'], ...rows]), ...listed.warnings].join('\n'),
      )
    })
}

type Entry = {
  readonly name: string
  readonly fingerprint: string
  readonly compared: boolean
  readonly state: 'trusted' | 'revoked'
  readonly heardMs: number | null
  readonly appliedMs: number | null
  readonly stale: boolean
}
type Listed = { readonly peers: readonly Entry[]; readonly warnings: readonly string[] }

const trust = ({ state, compared }: Entry): string => (state === 'revoked' ? 'REVOKED' : compared ? 'compared' : 'NEVER COMPARED')
const day = (ms: number | null): string => (ms === null ? 'never' : new Date(ms).toISOString().slice(0, 16))
const word = ({ heardMs, stale }: Entry): string => day(heardMs) + (stale ? ' (STALE)' : '')
const applied = ({ appliedMs }: Entry): string => day(appliedMs)

function addEnd(peer: Command, makeCli: MakeCli, name: 'remove' | 'revoke', description: string): void {
  peer
    .command(name)
    .argument('<SITE>', 'the directory of the site')
    .argument('<PEER>', 'what the peer is called here')
    .description(description)
    .option('--json', 'print JSON')
    .action(async (site: string, named: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const ended = await onSite<{ sentence: string }>(cli, site, `peer/${name}`, { name: named })
      cli.output.result(ended, ended.sentence)
    })
}
