import type { Command } from 'commander'
import { type MakeCli, onSite } from './cli.ts'

export function addSiteCommands(program: Command, makeCli: MakeCli): void {
  const site = program.command('site').description('The site itself.')
  site
    .command('identity')
    .argument('<SITE>', 'the directory of the site')
    .description('Print the public identity, to be given to peers: holdfast site identity SITE > site.identity')
    .option('--json', 'print JSON')
    .action(async (directory: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const shown = await onSite<{ identity: string; fingerprint: string }>(cli, directory, 'site/identity', {})
      cli.output.result(shown, shown.identity)
    })
  site
    .command('new-epoch')
    .argument('<SITE>', 'the directory of the site')
    .description('Begin a new epoch: after the site was restored from an older copy, or where it has a clone that may have gone on.')
    .option('--json', 'print JSON')
    .action(async (directory: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const begun = await onSite<{ sentence: string }>(cli, directory, 'site/new-epoch', {})
      cli.output.result(begun, begun.sentence)
    })
}
