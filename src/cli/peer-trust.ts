/** Commands that end the trust in a peer, or bind it to others. */
import type { Command } from 'commander'
import { type MakeCli, onSite } from './cli.ts'

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
}

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
