import type { Command } from 'commander'
import type { DisksRetired } from '../admin/commands/disk-retire.ts'
import { type ScrubOutcome, whyTooSlow } from '../admin/commands/disk-scrub.ts'
import type { DiskStatus, DisksStatus } from '../admin/commands/status.ts'
import type { ScrubReport } from '../admin/control.ts'
import { whyDiskClashes } from '../disks/disk-layout.ts'
import { knownAs } from '../disks/same-place.ts'
import { whyInsideSite } from '../server/inside-site.ts'
import { absolute, type Cli, CommandEnd, end, type MakeCli, onSite } from './cli.ts'
import { paragraphs } from './help.ts'
import { formatBytes, parseBytes, table } from './output.ts'
import { diskTable, scrubLines } from './status.ts'

export function addDiskCommands(program: Command, makeCli: MakeCli): void {
  const disk = program.command('disk').description('Look after the disks.')
  disk
    .command('status')
    .argument('<SITE>', 'the directory of the site')
    .description('Show the disks: in, out or healing. As JSON unless on a terminal.')
    .option('--json', 'print JSON, on a terminal too')
    .action(async (site: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const status = await onSite<DisksStatus>(cli, site, 'disk/status', {})
      const readOnly = status.readOnly === undefined ? [] : [`Read-only. ${status.readOnly}`, '']
      cli.output.resultForPrograms(status, [...readOnly, diskTable(status.disks), ...scrubLines(status.scrub)].join('\n'))
    })
  disk
    .command('scrub')
    .argument('<SITE>', 'the directory of the site')
    .option(
      '--rate <SIZE>',
      'read at most so much of each disk in a second (default: 128MiB, at least 1MB; while requests come, an eighth)',
    )
    .description('Read everything on every disk that is in, check it, and repair it from the others. Ctrl-C stops it.')
    .addHelpText(
      'after',
      paragraphs('Ends with 0 if nothing was wrong or all was repaired, 3 if damage remains, 6 if a disk failed meanwhile.'),
    )
    .option('--json', 'print JSON')
    .action(async (site: string, flags: { rate?: string }, command: Command) => {
      const cli = makeCli(command)
      const rate = flags.rate === undefined ? undefined : parseBytes(flags.rate)
      if (flags.rate !== undefined && rate === undefined) return end(2, `--rate "${flags.rate}" is no size: write 20MB or 1GiB.`)
      const tooSlow = rate === undefined ? undefined : whyTooSlow(rate)
      if (tooSlow !== undefined) return end(2, tooSlow)
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
    .option('--force', 'replace a disk that works although another is out')
    .description('Put a new directory in the place of a disk and fill it from the others, while serving.')
    .addHelpText(
      'after',
      paragraphs(
        'A disk that works serves until the new one holds everything and was read back; then it is not used any more. Until then, "disk retire SITE NEW-DIR" calls it off.',
      ),
    )
    .option('--json', 'print JSON')
    .action(async (site: string, oldDirectory: string, newDirectory: string, flags: { force?: boolean }, command: Command) => {
      const cli = makeCli(command)
      const disks = await disksOf(cli, site)
      const known = disks.map(({ path }) => path)
      const directories = {
        oldDirectory: knownAs(absolute(cli, oldDirectory), known),
        newDirectory: knownAs(absolute(cli, newDirectory), known),
      }
      const old = disks.find(({ path }) => path === directories.oldDirectory)
      // One that works serves beside the new one; and the command may be given again.
      const isOther = (path: string): boolean =>
        old?.successor?.path === directories.newDirectory ? false : path !== old?.path || old.state === 'in'
      const others = old === undefined ? [] : known.filter(isOther)
      // What is no disk of the site is said by the site.
      const clash = old === undefined ? undefined : whyDiskClashes(absolute(cli, site), directories.newDirectory, others)
      if (clash !== undefined) return end(5, clash)
      const inside = whyInsideSite(directories.newDirectory, { except: absolute(cli, site) })
      if (inside !== undefined) return end(5, `${directories.newDirectory} ${inside}: choose a directory outside of it.`)
      const input = { ...directories, force: flags.force === true }
      const replaced = await onSite<{ path: string; state: string }>(cli, site, 'disk/replace', input)
      cli.output.result(replaced, `${replaced.path} is in: every journal segment and shard that it should hold was read back.`)
    })
  disk
    .command('retire')
    .argument('<SITE>', 'the directory of the site')
    .argument('<DIR...>', 'the disks that are lost for good, as "disk status" shows them; all that a read-only site waits for')
    .option('--give-up <N>', 'so many acknowledged changes are lost with them; the command says how many before it does anything')
    .description('Say that disks are lost for good, so that a site that waits for them goes on without them.')
    .addHelpText('after', paragraphs(RETIRE_HELP))
    .option('--json', 'print JSON')
    .action(async (site: string, directories: string[], flags: { giveUp?: string }, command: Command) => {
      const cli = makeCli(command)
      const known = (await disksOf(cli, site)).map(({ path }) => path)
      const input = {
        directories: directories.map((directory) => knownAs(absolute(cli, directory), known)),
        ...(flags.giveUp === undefined ? {} : { giveUp: flags.giveUp }),
      }
      const retired = await onSite<DisksRetired>(cli, site, 'disk/retire', input)
      cli.output.result(retired, retired.sentence)
    })
}

/**
 * Where the disks of the site are, as it calls them. Paths are compared here and not in the server: looking where one leads may take as long as a disk hangs.
 */
async function disksOf(cli: Cli, site: string): Promise<DiskStatus[]> {
  const { disks } = await onSite<DisksStatus>(cli, site, 'disk/status', {})
  return disks.flatMap((disk) => (disk.successor === undefined ? disk : [disk, disk.successor]))
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

const RETIRE_HELP = `Only for disks that will not come back: one that is retired is never used again, should it turn up. Where the others hold everything, nothing is lost.
Where a site is read-only because those disks may hold newer changes, these are given up: without --give-up the command says how many, and changes nothing.`
