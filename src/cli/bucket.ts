/** Whether two sites hold the same of a bucket. */
import type { Command } from 'commander'
import type { CompareInput, DigestInput } from '../federation/bucket-digest.ts'
import { absolute, type MakeCli, onSite } from './cli.ts'

type Report = { readonly sentence: string }

export function addBucketCommands(program: Command, makeCli: MakeCli): void {
  const bucket = program.command('bucket').description('Tell whether two sites hold the same of a bucket.')
  bucket
    .command('digest')
    .argument('<SITE>', 'the directory of the site')
    .argument('<BUCKET>', 'its name here')
    .option('--out <FILE>', 'also write a line for each key, for "bucket compare" at the other site')
    .option('--content', 'read every byte too, instead of going by ETags and checksums')
    .description('Print a digest that is the same at two sites exactly when they hold the same.')
    .option('--json', 'print JSON')
    .action(async (site: string, name: string, flags: { out?: string; content?: boolean }, command: Command) => {
      const cli = makeCli(command)
      const input: DigestInput = {
        bucket: name,
        content: flags.content === true,
        ...(flags.out === undefined ? {} : { out: absolute(cli, flags.out) }),
      }
      const found = await onSite<Report>(cli, site, 'bucket/digest', input)
      cli.output.result(found, found.sentence)
    })
  bucket
    .command('compare')
    .argument('<SITE>', 'the directory of the site')
    .argument('<BUCKET>', 'its name here')
    .argument('<FILE>', 'what "bucket digest --out" wrote at the other site')
    .description('Name the keys that differ from those of another site; exit code 6 if any do.')
    .option('--json', 'print JSON')
    .action(async (site: string, name: string, file: string, _flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const input: CompareInput = { bucket: name, file: absolute(cli, file) }
      const compared = await onSite<Report>(cli, site, 'bucket/compare', input)
      cli.output.result(compared, compared.sentence)
    })
}
