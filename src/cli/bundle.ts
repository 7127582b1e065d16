import { existsSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { CommandFailure } from '../admin/command.ts'
import { asCommand, type ExportRequest, type ImportRequest } from '../admin/commands/bundles.ts'
import type { InspectView, PageView } from '../federation/verify.ts'
import type { Result } from '../result.ts'
import { whyInsideSite } from '../server/inside-site.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { addApproveCommand } from './approve.ts'
import { absolute, type Cli, CommandEnd, end, type MakeCli, onSite } from './cli.ts'
import { paragraphs } from './help.ts'
import { parseBytes, parseDuration } from './output.ts'
import { readTextFile } from './peer.ts'

type Report = { readonly sentence: string }
/** No default is given with it: help would show an empty list. */
const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function addBundleCommands(program: Command, makeCli: MakeCli): void {
  const bundle = program.command('bundle').description('Carry contents between sites that share no network.')
  addExport(bundle, makeCli)
  addLook(bundle, makeCli, 'verify', 'Check every byte of a bundle, and who signed it. Names all damage. Needs no decryption key.')
  addLook(
    bundle,
    makeCli,
    'inspect',
    'Show what a bundle is: its sender, times, volumes and damage; with the recipient’s site also its contents.',
  )
  addImport(bundle, makeCli)
  addApproveCommand(bundle, makeCli)
  bundle
    .command('acknowledge')
    .argument('<SITE>', 'the directory of the site that exported')
    .argument('<RECEIPT...>', 'the file that the import wrote at the other site, or the 56 characters that it showed')
    .description('Take note of what a peer has received, so that it is not sent again.')
    .option('--json', 'print JSON')
    .action(async (site: string, given: string[], _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      show(cli, await onSite<Report>(cli, site, 'bundle/acknowledge', { receiptText: receiptText(cli, given) }))
    })
}

/** A file, if there is one of that name; else what was typed, in one piece or in groups. */
function receiptText(cli: Cli, given: readonly string[]): string {
  const [file = '', ...more] = given
  const isFile = more.length === 0 && (existsSync(absolute(cli, file)) || /[/.]/.test(file))
  return isFile ? readTextFile(cli, file) : given.join(' ')
}

type ExportFlags = {
  to: string
  out: string
  bucket?: string[]
  prefix?: string
  volumeSize: string
  parity: string
  expires: string
  full?: boolean
}

function addExport(bundle: Command, makeCli: MakeCli): void {
  bundle
    .command('export')
    .argument('<SITE>', 'the directory of the site')
    .requiredOption('--to <PEER>', 'the peer that it is for')
    .requiredOption('--out <DIR>', 'where to write it; the same again to go on after an interruption')
    .option('--bucket <B>', 'only this bucket; may be repeated', collect)
    .option('--prefix <P>', 'only keys that begin so')
    .option('--volume-size <SIZE>', 'at most so large a file: 50MB, 4GB, 25GB', '4GB')
    .option('--parity <N>', 'so many volumes may be lost', '0')
    .option('--expires <TIME>', 'refuse it at the other site after so long: 90d, 12h, 30m', '365d')
    .option('--full', 'everything, although the peer acknowledged some')
    .description('Write a signed and encrypted bundle of what the peer does not hold.')
    .option('--json', 'print JSON')
    .action(async (site: string, flags: ExportFlags, command: Command) => {
      const cli = makeCli(command)
      const volumeBytes = parseBytes(flags.volumeSize)
      if (volumeBytes === undefined) return end(2, `--volume-size "${flags.volumeSize}" is no size: write 50MB or 4GB.`)
      const parityVolumes = Number(flags.parity)
      if (!Number.isInteger(parityVolumes) || parityVolumes < 0 || parityVolumes > 50)
        return end(2, '--parity is a whole number from 0 to 50.')
      const expiresMs = parseDuration(flags.expires)
      if (expiresMs === undefined || expiresMs === 0)
        return end(2, `--expires "${flags.expires}" is no time that a bundle can last: write 90d, 12h or 30m.`)
      const out = absolute(cli, flags.out)
      const inside = whyInsideSite(out)
      if (inside !== undefined)
        return end(5, `${out} ${inside}, where a bundle would be lost with it: name a folder outside of it, best on the medium itself.`)
      const input: ExportRequest = {
        peer: flags.to,
        out,
        ...(flags.bucket === undefined ? {} : { buckets: flags.bucket }),
        ...(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
        volumeBytes,
        parityVolumes,
        expiresInMs: expiresMs,
        full: flags.full === true,
      }
      show(cli, await onSite<Report>(cli, site, 'bundle/export', input))
    })
}

type LookFlags = { site?: string; signer?: string; html?: string }

function addLook(bundle: Command, makeCli: MakeCli, name: 'verify' | 'inspect', description: string): void {
  const look = bundle
    .command(name)
    .argument('<DIR...>', 'the folders with its files')
    .option('--site <SITE>', 'whose peers to trust')
    .option('--signer <IDENTITY-FILE>', 'trust this identity')
  if (name === 'inspect') look.option('--html <FILE>', 'read it through, and write a page about it to be kept with the medium')
  look
    .description(description)
    .addHelpText('after', paragraphs(name === 'verify' ? VERIFY_HELP : INSPECT_HELP))
    .option('--json', 'print JSON')
    .action(async (dirs: string[], flags: LookFlags, command: Command) => {
      const cli = makeCli(command)
      if (flags.site !== undefined && flags.signer !== undefined) return end(2, 'Give --site or --signer, not both.')
      const paths = dirs.map((dir) => absolute(cli, dir))
      if (flags.html !== undefined) return writePage(cli, paths, flags, flags.html)
      const isNamed = flags.site !== undefined || flags.signer !== undefined
      const shown = name === 'verify' ? show : (cli: Cli, view: InspectView): void => showInspected(cli, view, isNamed)
      if (flags.site !== undefined) return shown(cli, await onSite(cli, flags.site, `bundle/${name}`, { dirs: paths }))
      const signer = flags.signer === undefined ? undefined : readTextFile(cli, flags.signer)
      const { inspectWithoutSite, verifyWithSigner } = await import('../federation/verify.ts')
      const looked: Result<Report, CommandFailure> =
        name === 'verify'
          ? asCommand(await verifyWithSigner(paths, signer, cli.clock, cli.output.progress))
          : asCommand(await inspectWithoutSite(paths, signer, cli.clock))
      if (!looked.ok) throw new CommandEnd(looked.error)
      shown(cli, looked.value as InspectView)
    })
}

/** What could be read is shown whoever signed it. Whether that is worth anything the end says to those who named whom they trust (`isNamed`), else a note. */
function showInspected(cli: Cli, { untrusted, exit, ...view }: InspectView, isNamed: boolean): void {
  if (exit === 4 && isNamed) {
    if (!cli.output.json) show(cli, view)
    throw new CommandEnd({ exit, sentence: untrusted ?? view.sentence, details: { kind: 'unknown-signer', report: { ...view, exit } } })
  }
  show(cli, view)
  if (untrusted !== undefined) cli.output.note(untrusted)
}

async function writePage(cli: Cli, dirs: readonly string[], { site, signer }: LookFlags, file: string): Promise<void> {
  const { html, ...report } =
    site === undefined ? await pageOf(cli, dirs, signer) : await onSite<PageView>(cli, site, 'bundle/page', { dirs })
  const path = absolute(cli, file)
  try {
    writeFileSync(path, html)
  } catch (error) {
    return end(6, describeSystemFailure(path, 'written', error))
  }
  const written = `The page is ${path}.`
  if (report.exit === 0) return cli.output.result({ ...report, html: path }, `${report.sentence}\n${written}`)
  if (!cli.output.json) cli.output.result(report, written)
  throw new CommandEnd({ exit: report.exit, sentence: report.sentence, details: { report: { ...report, html: path } } })
}

async function pageOf(cli: Cli, dirs: readonly string[], signer: string | undefined): Promise<PageView> {
  const { pageWithoutSite } = await import('../federation/verify.ts')
  const identity = signer === undefined ? undefined : readTextFile(cli, signer)
  const page = asCommand(await pageWithoutSite(dirs, identity, cli.clock, cli.output.progress))
  if (!page.ok) throw new CommandEnd(page.error)
  return page.value
}

type ImportFlags = { dryRun?: boolean; map?: string[]; merge?: string[]; receipt?: string }

function addImport(bundle: Command, makeCli: MakeCli): void {
  bundle
    .command('import')
    .argument('<SITE>', 'the directory of the site')
    .argument('<DIR...>', 'the folders with its files')
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--map <REMOTE=LOCAL>', 'let bucket REMOTE go into bucket LOCAL here', collect)
    .option('--merge <BUCKET>', 'merge with the bucket of the same name that was made here', collect)
    .option('--receipt <FILE>', 'write the receipt there')
    .description('Verify a bundle and apply it.')
    .option('--json', 'print JSON')
    .action(async (site: string, dirs: string[], flags: ImportFlags, command: Command) => {
      const cli = makeCli(command)
      const map: Record<string, string> = {}
      for (const pair of flags.map ?? []) {
        const [remote, local, ...rest] = pair.split('=')
        if (!remote || !local || rest.length > 0) return end(2, `--map takes REMOTE=LOCAL; "${pair}" is none.`)
        map[remote] = local
      }
      const input: ImportRequest = {
        dirs: dirs.map((dir) => absolute(cli, dir)),
        dryRun: flags.dryRun === true,
        map,
        merge: flags.merge ?? [],
        ...(flags.receipt === undefined ? {} : { receiptFile: absolute(cli, flags.receipt) }),
      }
      show(cli, await onSite<Report>(cli, site, 'bundle/import', input))
    })
}

const show = (cli: Cli, report: Report): void => cli.output.result(report, report.sentence)

const TRUST_HELP = 'the one of --signer, or a peer of --site'
const VERIFY_HELP = `Ends with 0 if all is as it was written and the signer is trusted (${TRUST_HELP}); 3 if something is damaged and an import would make it good or do without; 4 if the signer is not trusted, or neither --site nor --signer was given; 5 if it is refused, or damaged beyond repair; 6 if too much is missing.`
const INSPECT_HELP = `Shows what could be read, whoever signed it, and ends with 0; with 4 if --site or --signer was given and the signer is not trusted (${TRUST_HELP}). Looks at names and lengths of the files only; with --html it reads them, and ends as "bundle verify" does.`
