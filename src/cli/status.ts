import type { Command } from 'commander'
import type { DiskStatus, SiteStatus } from '../admin/commands/status.ts'
import { type MakeCli, onSite } from './cli.ts'
import { formatBytes, table } from './output.ts'

export function addStatusCommand(program: Command, makeCli: MakeCli): void {
  program
    .command('status')
    .argument('<SITE>', 'the directory of the site')
    .description('Show whether the site is healthy, and what it would survive.')
    .option('--json', 'print JSON')
    .action(async (site: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const status = await onSite<SiteStatus>(cli, site, 'status', {})
      const lines = [
        `${status.name}: ${status.state}. ${status.sentence}`,
        `Coding ${status.dataShards} + ${status.parityShards}; ${status.survives} more ${status.survives === 1 ? 'disk' : 'disks'} may be lost without losing anything.`,
        `Change ${status.sequence}, generation ${status.generation}, epoch ${status.epoch}, ${status.buckets} buckets.`,
        ...status.warnings,
        '',
        diskTable(status.disks),
      ]
      cli.output.result(status, lines.join('\n'))
    })
}

export function diskTable(disks: readonly DiskStatus[]): string {
  return table([
    ['DISK', 'STATE', ''],
    ...disks.map((disk) => [disk.path, disk.state, [disk.reason, healed(disk)].filter(Boolean).join('; ')]),
  ])
}

const healed = (disk: DiskStatus): string | undefined =>
  disk.healed === undefined ? undefined : `${formatBytes(disk.healed.doneBytes)} of ${formatBytes(disk.healed.totalBytes)} filled`
