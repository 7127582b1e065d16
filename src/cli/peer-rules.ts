/** What a peer may do here, and the way back from what it removed. */
import type { Command } from 'commander'
import type { SetPeerInput } from '../federation/peer-rules.ts'
import type { UndoInput } from '../federation/undo.ts'
import { end, type MakeCli, onSite } from './cli.ts'
import { parseDuration } from './output.ts'

type Report = { readonly sentence: string }
const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]
const collectKinds = (value: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  ...value.split(',').map((kind) => kind.trim()),
]

type SetFlags = { allow?: string[]; deny?: string[]; bucket?: string[]; anyBucket?: boolean; undoDays?: string }
type UndoFlags = { since?: string; bucket?: string; prefix?: string; dryRun?: boolean; forget?: boolean }

/** `peer`: the group of commands that they belong to. */
export function addPeerRuleCommands(peer: Command, makeCli: MakeCli): void {
  peer
    .command('set')
    .argument('<SITE>', 'the directory of the site')
    .argument('<PEER>', 'what the peer is called here')
    .option('--allow <KINDS>', 'let it bring these: versions, markers, configuration, deletes', collectKinds)
    .option('--deny <KINDS>', 'refuse bundles that bring these', collectKinds)
    .option('--bucket <B>', 'only into this bucket, as it is called here; may be repeated', collect)
    .option('--any-bucket', 'into those that it made or was sent, as at first')
    .option('--undo-days <N>', 'how long what it removes can be brought back (0: not at all; 30 at first)')
    .description('Say what a peer may do here; what is not given stays as it is.')
    .option('--json', 'print JSON')
    .action(async (site: string, name: string, flags: SetFlags, command: Command) => {
      const cli = makeCli(command)
      if (flags.bucket !== undefined && flags.anyBucket === true) return end(2, 'Give --bucket or --any-bucket, not both.')
      if (flags.undoDays !== undefined && !/^\d{1,4}$/.test(flags.undoDays)) return end(2, '--undo-days is a whole number of days.')
      const input: SetPeerInput = {
        peer: name,
        ...(flags.allow && { allow: flags.allow }),
        ...(flags.deny && { deny: flags.deny }),
        ...(flags.bucket && { buckets: flags.bucket }),
        ...(flags.anyBucket === true && { buckets: null }),
        ...(flags.undoDays !== undefined && { undoDays: Number(flags.undoDays) }),
      }
      const set = await onSite<Report>(cli, site, 'peer/set', input)
      cli.output.result(set, set.sentence)
    })
  peer
    .command('undo')
    .argument('<SITE>', 'the directory of the site')
    .argument('<PEER>', 'the peer that removed too much, or its site id if it is none any more')
    .option('--since <TIME>', 'as it was then: 2026-11-23T12:00:00Z, or so long ago: 3d, 12h')
    .option('--bucket <B>', 'only in this bucket')
    .option('--prefix <P>', 'only keys that begin so')
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--forget', 'give it up instead: free its space now')
    .description('Bring back what a peer removed here: versions, markers and buckets, as new ones in their old places.')
    .option('--json', 'print JSON')
    .action(async (site: string, name: string, flags: UndoFlags, command: Command) => {
      const cli = makeCli(command)
      const sinceMs = flags.since === undefined ? undefined : parseSince(flags.since, cli.clock.nowMs())
      if (flags.since !== undefined && sinceMs === undefined)
        return end(2, `--since "${flags.since}" is no time: write 2026-11-23T12:00:00Z, 3d or 12h.`)
      const input: UndoInput = {
        peer: name,
        ...(sinceMs !== undefined && { sinceMs }),
        ...(flags.bucket !== undefined && { bucket: flags.bucket }),
        ...(flags.prefix !== undefined && { prefix: flags.prefix }),
        dryRun: flags.dryRun === true,
        forget: flags.forget === true,
      }
      const undone = await onSite<Report>(cli, site, 'peer/undo', input)
      cli.output.result(undone, undone.sentence)
    })
}

/** A moment, or so long before now. Undefined if it is neither. Without a zone it is UTC, as all times that we print. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text)
  if (ago !== undefined) return nowMs - ago
  const shaped = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text.trim())
  if (shaped === null) return undefined
  const ms = Date.parse(`${shaped[1]}T${shaped[2] ?? '00:00'}${shaped[3] ?? 'Z'}`)
  return Number.isNaN(ms) ? undefined : ms
}
