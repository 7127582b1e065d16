import { join } from 'node:path'
import type { Command } from 'commander'
import { whyDisksClash } from '../disks/disk-layout.ts'
import { DISKS_PER_SET_MAX, defaultParity } from '../disks/geometry.ts'
import { lookAt } from '../server/enter-site.ts'
import { whyInsideSite } from '../server/inside-site.ts'
import { absolute, collect, end, type MakeCli, namesIn } from './cli.ts'
import { paragraphs } from './help.ts'
import { shellWord } from './output.ts'
import { chooseRootKeys } from './root-keys.ts'
import { siteName } from './site-name.ts'

const DISKS_BY_DEFAULT = 4

export function addInitCommand(program: Command, makeCli: MakeCli): void {
  program
    .command('init')
    .argument('<SITE>', 'the directory to make')
    .description('Make a site: its keys, its index and its disks.')
    .option('--disk <DIR>', `a directory or mount point, once per disk (default: ${DISKS_BY_DEFAULT} directories below SITE)`, collect)
    .option('--parity <M>', 'how many disks may be lost (default: 0 for one disk, 1 up to three, 2 up to six, 3 up to ten, 4 from eleven)')
    .option('--name <NAME>', 'what people call the site (default: the name of its directory)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      paragraphs(
        'The root keys come from HOLDFAST_ROOT_ACCESS_KEY and HOLDFAST_ROOT_SECRET_KEY, else they are made and printed once.\nCopy SITE/keys away: it is the one thing that the disks cannot bring back.',
      ),
    )
    .action(async (siteArgument: string, options: { disk?: string[]; parity?: string; name?: string }, command: Command) => {
      const cli = makeCli(command)
      const site = absolute(cli, siteArgument)
      const disks =
        options.disk?.map((disk) => absolute(cli, disk)) ??
        Array.from({ length: DISKS_BY_DEFAULT }, (_, index) => join(site, `disk${index + 1}`))
      const parity = options.parity === undefined ? defaultParity(disks.length) : Number(options.parity)
      if (disks.length > DISKS_PER_SET_MAX) end(2, `A set has at most ${DISKS_PER_SET_MAX} disks; ${disks.length} were given.`)
      const name = siteName(site, options.name)
      const clash = whyDisksClash(site, disks)
      if (clash !== undefined) end(2, clash)
      if (!Number.isInteger(parity) || parity < 0 || parity >= disks.length) {
        const most = disks.length - 1
        end(
          2,
          most === 0
            ? 'With one disk, --parity can only be 0.'
            : `--parity must be a whole number from 0 to ${most}, one less than the number of disks.`,
        )
      }
      refuseInside(site)
      const looked = lookAt(site)
      if (!looked.ok && looked.error.kind === 'part-of-a-site') end(5, looked.error.sentence)
      if (namesIn(site).some((name) => !disks.includes(join(site, name)))) {
        end(5, `${site} is not empty: choose another directory, or serve the site that is there.`)
      }
      for (const disk of disks) refuseInside(disk)
      const { keys, from } = chooseRootKeys(cli)
      const made = await cli.initSite({ site, disks, parity, name, keys })
      if (!made.ok) return end(5, made.error)
      const data = disks.length - parity
      const lines = [
        `Made site "${name}" in ${site}: ${disks.length === 1 ? 'one disk' : `${disks.length} disks`}, ${data} for data + ${parity} for parity.`,
        parity === 0
          ? 'WARNING: there is no parity. The loss of any disk loses data.'
          : `Any ${parity === 1 ? 'one' : parity} of the disks may be lost without losing anything.`,
        `Fingerprint: ${made.value.fingerprint}`,
        ...(from === 'environment'
          ? []
          : ['', 'The root keys, shown once:', `  access key  ${keys.accessKeyId}`, `  secret key  ${keys.secretAccessKey}`]),
        '',
        `Copy ${join(site, 'keys')} to a safe place now: it is the one thing that the disks cannot bring back.`,
        `Serve it with: holdfast serve ${shellWord(siteArgument)}`,
      ]
      cli.output.result(
        { site, name, disks, dataShards: data, parityShards: parity, ...made.value, ...(from === 'environment' ? {} : { rootKeys: keys }) },
        lines.join('\n'),
      )
    })
}

function refuseInside(directory: string): void {
  const inside = whyInsideSite(directory)
  if (inside !== undefined) end(5, `${directory} ${inside}: choose a directory outside of it.`)
}
