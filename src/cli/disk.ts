import type { Command } from 'commander'
import type { DiskStatus } from '../admin/commands/status.ts'
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
      const status = await onSite<{ disks: DiskStatus[] }>(cli, site, 'disk/status', {})
      cli.output.result(status, diskTable(status.disks))
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
}
