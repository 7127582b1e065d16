import type { Command } from 'commander'
import type { DiskStatus, SiteStatus } from '../admin/commands/status.ts'
import type { ScrubStatus } from '../admin/control.ts'
import { type MakeCli, onSite } from './cli.ts'
import { formatBytes, table } from './output.ts'
import { hiddenText } from './peer-list.ts'

export function addStatusCommand(program: Command, makeCli: MakeCli): void {
  program
    .command('status')
    .argument('<SITE>', 'the directory of the site')
    .description('Show whether the site is healthy, and what it would survive.')
    .option('--json', 'print JSON')
    .action(async (site: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const status = await onSite<SiteStatus>(cli, site, 'status', {})
      cli.output.result(status, statusText(status))
    })
}

export function statusText(status: SiteStatus): string {
  return [
    `${status.name}: ${status.state}. ${status.sentence}`,
    `Coding ${status.dataShards} + ${status.parityShards}; ${status.survives} more ${status.survives === 1 ? 'disk' : 'disks'} may be lost without losing anything.`,
    `Change ${status.sequence}, generation ${status.generation}, epoch ${status.epoch}, ${status.buckets} ${status.buckets === 1 ? 'bucket' : 'buckets'}.`,
    ...(status.hidden.versions === 0
      ? []
      : [`Removed by peers, and kept for "holdfast peer undo": ${hiddenText(status.hidden)}; "holdfast peer list" says of whom.`]),
    ...status.warnings,
    '',
    diskTable(status.disks),
    ...scrubLines(status.scrub),
  ].join('\n')
}

export function diskTable(disks: readonly DiskStatus[]): string {
  return table([
    ['DISK', 'STATE', ''],
    ...disks.flatMap((disk) => [
      [disk.path, disk.state, [disk.reason, healed(disk)].filter(Boolean).join('; ')],
      ...(disk.successor === undefined ? [] : [successorRow(disk.successor, disk)]),
    ]),
  ])
}

/** What is known of the scrub: a line or two, behind an empty one. */
export function scrubLines({ running, last }: ScrubStatus): string[] {
  const how = running?.by === 'operator' ? '' : ' (slowly, by itself)'
  const lines = running && [`Scrub${how}: ${formatBytes(running.doneBytes)} of ${formatBytes(running.totalBytes)} read.`]
  const ended = last && [`Last scrubbed ${new Date(last.endedMs).toISOString()}: ${found(last)}.`]
  const all = [...(lines ?? []), ...(ended ?? [])]
  return all.length === 0 ? [] : ['', ...all]
}

const found = ({ repaired, remaining }: { readonly repaired: number; readonly remaining: number }): string =>
  repaired + remaining === 0
    ? 'nothing was wrong'
    : `${repaired} damaged ${repaired === 1 ? 'place' : 'places'} repaired, ${remaining} not to be repaired`

const successorRow = (disk: DiskStatus, { path }: DiskStatus): string[] => {
  const why = disk.state === 'out' ? disk.reason : undefined
  return [disk.path, disk.state, [`to take the place of ${path}`, why, healed(disk)].filter(Boolean).join('; ')]
}

const healed = (disk: DiskStatus): string | undefined =>
  disk.healed === undefined ? undefined : `${formatBytes(disk.healed.doneBytes)} of ${formatBytes(disk.healed.totalBytes)} filled`
