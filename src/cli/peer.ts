import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describeSystemFailure } from '../system-failure.ts'
import { absolute, type Cli, end, type MakeCli, onSite } from './cli.ts'
import { addPeerListCommand } from './peer-list.ts'
import { addPeerRuleCommands } from './peer-rules.ts'
import { addPeerTrustCommands } from './peer-trust.ts'

const TEXT_FILE_BYTES_MAX = 1024 * 1024

export function addPeerCommands(program: Command, makeCli: MakeCli): void {
  const peer = program.command('peer').description('The sites that this one exchanges bundles with.')
  peer
    .command('add')
    .argument('<SITE>', 'the directory of the site')
    .argument('<IDENTITY-FILE>', 'what "holdfast site identity" printed at the other site')
    .requiredOption('--name <PEER>', 'what the peer is called here')
    .option('--fingerprint <F>', 'its fingerprint, as somebody there read it to you')
    .description('Trust another site by its identity.')
    .option('--json', 'print JSON')
    .action(async (site: string, file: string, flags: { name: string; fingerprint?: string }, command: Command) => {
      const cli = makeCli(command)
      const input = {
        identityText: readTextFile(cli, file),
        name: flags.name,
        ...(flags.fingerprint === undefined ? {} : { fingerprint: flags.fingerprint }),
      }
      const added = await onSite<{ sentence: string }>(cli, site, 'peer/add', input)
      cli.output.result(added, added.sentence)
    })
  addPeerTrustCommands(peer, makeCli)
  addPeerListCommand(peer, makeCli)
  addPeerRuleCommands(peer, makeCli)
}

/** The text of a small file. Ends the command with a sentence if it cannot be read. */
export function readTextFile(cli: Cli, file: string): string {
  const path = absolute(cli, file)
  try {
    const bytes = readFileSync(path)
    if (bytes.length <= TEXT_FILE_BYTES_MAX) return bytes.toString('utf8')
  } catch (error) {
    return end(2, describeSystemFailure(path, 'read', error, { place: 'fixed' }))
  }
  return end(2, `${path} is larger than 1 MiB: it is not what is expected here.`)
}
