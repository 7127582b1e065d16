import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { whyDisksClash } from '../disks/disk-layout.ts'
import { DISKS_PER_SET_MAX, defaultParity } from '../disks/geometry.ts'
import { lookAt } from '../server/enter-site.ts'
import { absolute, end, type MakeCli, namesIn } from './cli.ts'
import { paragraphs } from './help.ts'
import { chooseRootKeys } from './root-keys.ts'

const DISKS_BY_DEFAULT = 4

const NAME_LENGTH_MAX = 100

/** Shown on terminals and in pages: nothing that a terminal would obey, or that turns the writing around. */
const isName = (text: string): boolean =>
  text.trim() !== '' && [...text].length <= NAME_LENGTH_MAX && !/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/u.test(text)

/** A directory may be called anything. */
function defaultName(site: string): string {
  const name = basename(site)
  return isName(name) ? name : 'site'
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

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
        'The root keys come from HOLDFAST_ROOT_ACCESS_KEY and HOLDFAST_ROOT_SECRET_KEY, else they are made and printed once.\nCopy SITE/keys and SITE/site.json away: the disks cannot bring them back.',
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
      const name = options.name ?? defaultName(site)
      if (!isName(name)) end(2, `--name takes 1 to ${NAME_LENGTH_MAX} characters, none of them a control character.`)
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
      const looked = lookAt(site)
      if (!looked.ok && looked.error.kind === 'part-of-a-site') end(5, looked.error.sentence)
      if (namesIn(site).some((name) => !disks.includes(join(site, name)))) {
        end(5, `${site} is not empty: choose another directory, or serve the site that is there.`)
      }
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
        `Copy ${join(site, 'keys')} and ${join(site, 'site.json')} to a safe place now: the disks cannot bring them back.`,
        `Serve it with: holdfast serve ${siteArgument}`,
      ]
      cli.output.result(
        { site, name, disks, dataShards: data, parityShards: parity, ...made.value, ...(from === 'environment' ? {} : { rootKeys: keys }) },
        lines.join('\n'),
      )
    })
}
