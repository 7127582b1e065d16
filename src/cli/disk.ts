import type { Command } from 'commander'
import type { DisksRetired } from '../admin/commands/disk-retire.ts'
import type { DisksStatus } from '../admin/commands/status.ts'
import { absolute, type MakeCli, onSite } from './cli.ts'
import { diskTable } from './status.ts'

export function addDiskCommands(program: Command, makeCli: MakeCli): void {
  const disk = program.command('disk').description('Look after the disks.')
  disk
    .command('status')
    .argument('<SITE>', 'the directory of the site')
    .description('Show the disks: in, out or healing.')
    .option('--json', 'print JSON')
    .action(async (site: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const status = await onSite<DisksStatus>(cli, site, 'disk/status', {})
      cli.output.result(status, [...(status.readOnly === undefined ? [] : [status.readOnly, '']), diskTable(status.disks)].join('\n'))
    })
  disk
    .command('replace')
    .argument('<SITE>', 'the directory of the site')
    .argument('<OLD-DIR>', 'the disk that is out, as "disk status" shows it')
    .argument('<NEW-DIR>', 'an empty directory; may be the same path')
    .description('Put a new directory in the place of a disk and fill it, while serving.')
    .option('--json', 'print JSON')
    .action(async (site: string, oldDirectory: string, newDirectory: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const input = { oldDirectory: absolute(cli, oldDirectory), newDirectory: absolute(cli, newDirectory) }
      const replaced = await onSite<{ path: string; state: string }>(cli, site, 'disk/replace', input)
      cli.output.result(replaced, `${replaced.path} is in: every journal segment and shard that it should hold was read back.`)
    })
  disk
    .command('retire')
    .argument('<SITE>', 'the directory of the site')
    .argument('<DIR...>', 'the disks that are lost for good, as "disk status" shows them; all that a read-only site waits for')
    .option('--give-up <N>', 'so many acknowledged changes are lost with them; the command says how many before it does anything')
    .description('Say that disks are lost for good, so that a site that waits for them goes on without them.')
    .addHelpText('after', RETIRE_HELP)
    .option('--json', 'print JSON')
    .action(async (site: string, directories: string[], flags: { giveUp?: string }, command: Command) => {
      const cli = makeCli(command)
      const input = {
        directories: directories.map((directory) => absolute(cli, directory)),
        ...(flags.giveUp === undefined ? {} : { giveUp: flags.giveUp }),
      }
      const retired = await onSite<DisksRetired>(cli, site, 'disk/retire', input)
      cli.output.result(retired, retired.sentence)
    })
}

const RETIRE_HELP = `
Only for disks that will not come back: one that is retired is never used again, should it turn up. Where the others hold everything, nothing is lost.
Where a site is read-only because those disks may hold newer changes, these are given up: without --give-up the command says how many, and changes nothing.`
