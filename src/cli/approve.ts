import type { Command } from 'commander'
import { absolute, type MakeCli, onSite } from './cli.ts'

export function addApproveCommand(bundle: Command, makeCli: MakeCli): void {
  bundle
    .command('approve')
    .argument('<SITE>', 'the directory of the site that approves')
    .argument('<DIR...>', 'the folders with the files of the bundle')
    .description('Verify a bundle, and add this site’s signature to it.')
    .option('--json', 'print JSON')
    .action(async (site: string, dirs: string[], _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const approved = await onSite<{ sentence: string }>(cli, site, 'bundle/approve', { dirs: dirs.map((dir) => absolute(cli, dir)) })
      cli.output.result(approved, approved.sentence)
    })
}
