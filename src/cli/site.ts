import type { Command } from 'commander'
import type { SiteStatus } from '../admin/commands/status.ts'
import { absolute, CommandEnd, collect, end, type MakeCli, onSite } from './cli.ts'
import { parseDuration } from './output.ts'
import { siteName } from './site-name.ts'
import { statusText } from './status.ts'

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
  addRecoverCommand(site, makeCli)
  addKeyCommands(site, makeCli)
}

type RecoverFlags = { readonly disk?: string[]; readonly name?: string; readonly acceptOlder?: boolean }

function addRecoverCommand(site: Command, makeCli: MakeCli): void {
  site
    .command('recover')
    .argument('<SITE>', 'a directory with the keys of the site in SITE/keys')
    .option('--disk <DIR>', 'a disk of the site, once per disk; one of them leads to the others (default: those below SITE)', collect)
    .option('--name <NAME>', 'what people shall call the site (default: as its disks remember it)')
    .option('--accept-older', 'recover although disks are missing that may hold something newer (that is given up)')
    .description('Make a lost SITE again from its keys and its disks, which hold everything else.')
    .option('--json', 'print JSON')
    .action(async (siteArgument: string, flags: RecoverFlags, command: Command) => {
      const cli = makeCli(command)
      const directory = absolute(cli, siteArgument)
      const recovered = await cli.recoverSite({
        site: directory,
        ...(flags.disk === undefined ? {} : { disks: flags.disk.map((disk) => absolute(cli, disk)) }),
        ...(flags.name === undefined ? {} : { name: siteName(directory, flags.name) }),
        defaultName: siteName(directory, undefined),
        acceptOlder: flags.acceptOlder === true,
        progress: cli.output.progress,
      })
      if (!recovered.ok) throw new CommandEnd(recovered.error)
      const status = recovered.value as SiteStatus
      cli.output.result(status, statusText(status))
    })
}

type KeysFlags = { readonly every?: string; readonly keep?: string }

function addKeyCommands(site: Command, makeCli: MakeCli): void {
  const time = (name: string, text: string | undefined): number | undefined => {
    const ms = text === undefined ? undefined : parseDuration(text)
    return text !== undefined && ms === undefined ? end(2, `--${name} "${text}" is no time: write 90d or 12w.`) : ms
  }
  site
    .command('keys')
    .argument('<SITE>', 'the directory of the site')
    .option('--every <TIME>', 'from now on, make a new encryption key so often (at first 90d)')
    .option('--keep <TIME>', 'from now on, destroy a private key so long after another took its place (at first 365d)')
    .description('Show the encryption keys, and when they are renewed and destroyed.')
    .option('--json', 'print JSON')
    .action(async (directory: string, flags: KeysFlags, command: Command) => {
      const cli = makeCli(command)
      const [everyMs, keepMs] = [time('every', flags.every), time('keep', flags.keep)]
      const input = { ...(everyMs === undefined ? {} : { everyMs }), ...(keepMs === undefined ? {} : { keepMs }) }
      const shown = await onSite<{ sentence: string }>(cli, directory, 'site/keys', input)
      cli.output.result(shown, shown.sentence)
    })
  site
    .command('rotate-key')
    .argument('<SITE>', 'the directory of the site')
    .option('--destroy-superseded', 'destroy all other private keys now: bundles that are sealed to them can never be opened')
    .description('Make a new encryption key now, whatever the schedule says.')
    .option('--json', 'print JSON')
    .action(async (directory: string, flags: { destroySuperseded?: boolean }, command: Command) => {
      const cli = makeCli(command)
      const input = { destroySuperseded: flags.destroySuperseded === true }
      const rotated = await onSite<{ sentence: string }>(cli, directory, 'site/rotate-key', input)
      cli.output.result(rotated, rotated.sentence)
    })
}
