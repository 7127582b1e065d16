import type { Command } from 'commander'
import type { ScrubOutcome } from '../admin/commands/disk-scrub.ts'
import type { DiskStatus } from '../admin/commands/status.ts'
import type { ScrubReport, ScrubStatus } from '../admin/control.ts'
import { absolute, CommandEnd, end, type MakeCli, onSite } from './cli.ts'
import { formatBytes, parseBytes, table } from './output.ts'
import { diskTable, scrubLines } from './status.ts'

export function addDiskCommands(program: Command, makeCli: MakeCli): void {
  const disk = program.command('disk').description('Look after the disks.')
  disk
    .command('status')
    .argument('<SITE>', 'the directory of the site')
    .description('Show the disks: in, out or healing.')
    .option('--json', 'print JSON')
    .action(async (site: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const status = await onSite<{ disks: DiskStatus[]; scrub: ScrubStatus }>(cli, site, 'disk/status', {})
      cli.output.result(status, [diskTable(status.disks), ...scrubLines(status.scrub)].join('\n'))
    })
  disk
    .command('scrub')
    .argument('<SITE>', 'the directory of the site')
    .option('--rate <SIZE>', 'read at most so much of each disk in a second (default: 128MiB; while requests come, an eighth)')
    .description('Read everything on every disk that is in, check it, and repair it from the others. Ctrl-C stops it.')
    .addHelpText('after', '\nEnds with 0 if nothing was wrong or all was repaired, 3 if damage remains, 6 if a disk failed meanwhile.')
    .option('--json', 'print JSON')
    .action(async (site: string, flags: { rate?: string }, command: Command) => {
      const cli = makeCli(command)
      const rate = flags.rate === undefined ? undefined : parseBytes(flags.rate)
      if (flags.rate !== undefined && rate === undefined) return end(2, `--rate "${flags.rate}" is no size: write 20MB or 1GiB.`)
      const input = rate === undefined ? {} : { bytesPerSecond: rate }
      const { exit, sentence, ...report } = await onSite<ScrubOutcome>(cli, site, 'disk/scrub', input)
      if (exit === 0) return cli.output.result({ ...report, sentence }, scrubText(report, sentence))
      if (!cli.output.json) cli.output.result(report, scrubText(report, ''))
      throw new CommandEnd({ exit, sentence, details: report })
    })
  disk
    .command('replace')
    .argument('<SITE>', 'the directory of the site')
    .argument('<OLD-DIR>', 'the disk to replace, as "disk status" shows it: one that is out, or one that works')
    .argument('<NEW-DIR>', 'an empty directory; may be the same path')
    .option('--force', 'replace a disk that works although another is out, or none could be lost meanwhile')
    .description('Put a new directory in the place of a disk and fill it from the others, while serving.')
    .addHelpText('after', '\nA disk that works counts as lost from then on until the new one is filled: what it holds is not used again.')
    .option('--json', 'print JSON')
    .action(async (site: string, oldDirectory: string, newDirectory: string, flags: { force?: boolean }, command: Command) => {
      const cli = makeCli(command)
      const directories = { oldDirectory: absolute(cli, oldDirectory), newDirectory: absolute(cli, newDirectory) }
      const input = { ...directories, force: flags.force === true }
      const replaced = await onSite<{ path: string; state: string }>(cli, site, 'disk/replace', input)
      cli.output.result(replaced, `${replaced.path} is in: every journal segment and shard that it should hold was read back.`)
    })
}

function scrubText({ disks, lost }: ScrubReport, sentence: string): string {
  const rows = disks.map(({ path, state, segments, shards, bytes, repaired, remaining }) => [
    path,
    state,
    String(segments),
    String(shards),
    formatBytes(bytes),
    String(repaired),
    String(remaining),
  ])
  // Keys may hold anything, also what a terminal would obey.
  const lines = lost.named.map(({ bucket, key, versionId, part }) => {
    const name = JSON.stringify(`${bucket}/${key}`)
    return part === undefined ? `lost: ${name} version ${versionId}` : `lost: part ${part} of an upload to ${name}`
  })
  const more = lost.more > 0 ? [`lost: ${lost.more} more`] : []
  const report = table([['DISK', '', 'JOURNAL', 'SHARDS', 'READ', 'REPAIRED', 'NOT REPAIRED'], ...rows])
  return [report, ...lines, ...more, ...(sentence === '' ? [] : ['', sentence])].join('\n')
}
