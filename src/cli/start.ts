/** `npm start`: a site to try things with, made if there is none, and served with everything said that a newcomer needs. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { type RootKeys, readRootKeys } from '../admin/site-keys.ts'
import { lookAt } from '../server/enter-site.ts'
import { absolute, type Cli, CommandEnd, end, type MakeCli } from './cli.ts'
import { shellWord } from './output.ts'
import { chooseRootKeys, keysFromEnvironment } from './root-keys.ts'
import { LOCAL_DOMAINS, parseListen } from './serve.ts'

const DEFAULT_SITE = 'holdfast-data'
const DISKS = 4
const PARITY = 2
const WHERE = `HOLDFAST_SITE names the directory of the site; else it is ./${DEFAULT_SITE}.`

export function addStartCommand(program: Command, makeCli: MakeCli): void {
  program
    .command('start', { hidden: true })
    .description(
      `Make a site in ./${DEFAULT_SITE} (or HOLDFAST_SITE) if there is none, and serve it on 127.0.0.1:9000 (or HOLDFAST_LISTEN).`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const cli = makeCli(command)
      const site = absolute(cli, cli.environment.HOLDFAST_SITE || DEFAULT_SITE)
      const listenText = cli.environment.HOLDFAST_LISTEN || '127.0.0.1:9000'
      const listen = parseListen(listenText)
      if (listen === undefined) return end(2, `HOLDFAST_LISTEN takes HOST:PORT, as in 127.0.0.1:9000; "${listenText}" is none.`)
      const made = await makeIfMissing(site, cli)
      const keys = readRootKeys(site)
      if (!keys.ok) return end(5, keys.error)
      const given = keysFromEnvironment(cli)
      const isOwn = given?.accessKeyId === keys.value.accessKeyId && given.secretAccessKey === keys.value.secretAccessKey
      if (given !== undefined && !isOwn) {
        cli.output.note(
          `HOLDFAST_ROOT_ACCESS_KEY and HOLDFAST_ROOT_SECRET_KEY are not used: ${site} has its own root keys, in ${join(site, 'keys', 'root.json')}.`,
        )
      }
      const shown = isOwn ? 'known' : made ? 'now' : 'before'
      const served = await cli.serve({
        site,
        ...listen,
        http: 'fastest',
        threads: availableParallelism(),
        region: 'us-east-1',
        domains: LOCAL_DOMAINS,
        acceptOlder: false,
        announce: (endpoint, adapter) =>
          cli.output.result({ serving: endpoint, http: adapter.kind }, welcome(endpoint, adapter.name, site, keys.value, shown)),
      })
      if (!served.ok) throw new CommandEnd(served.error)
    })
}

/** Whether a site was made. Ends the command with a sentence if the directory can't be used. */
async function makeIfMissing(site: string, cli: Cli): Promise<boolean> {
  const looked = lookAt(site)
  if (looked.ok) return false
  const { kind, sentence } = looked.error
  if (kind !== 'no-directory' && kind !== 'empty') return end(5, `${sentence} (${WHERE})`)
  const { keys } = chooseRootKeys(cli)
  const disks = Array.from({ length: DISKS }, (_, index) => join(site, `disk${index + 1}`))
  const made = await cli.initSite({ site, disks, parity: PARITY, name: 'holdfast', keys })
  return made.ok ? true : end(5, `${made.error} (${WHERE})`)
}

/** `shown` 'known': the secret is in the environment, so nobody needs to read it here, where it might be kept in a log. */
function welcome(endpoint: string, adapter: string, site: string, root: RootKeys, shown: 'now' | 'before' | 'known'): string {
  const { accessKeyId, secretAccessKey } = root
  const file = join(site, 'keys', 'root.json')
  const shownSecret = { now: secretAccessKey, before: '<secret key>', known: '$HOLDFAST_ROOT_SECRET_KEY' }[shown]
  const keys = {
    now: [`  secret key  ${secretAccessKey}`, `  (shown this once; kept in ${file}: copy that folder to a safe place)`],
    before: [`  secret key  in ${file} (shown once, at the first start)`],
    known: [`  secret key  that of HOLDFAST_ROOT_SECRET_KEY (kept in ${file}: copy that folder to a safe place)`],
  }[shown]
  return [
    `Holdfast serves S3 at ${endpoint}`,
    `  access key  ${accessKeyId}`,
    ...keys,
    '',
    'aws-cli',
    `  export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${shownSecret} AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=${endpoint}`,
    '  aws s3 mb s3://first && aws s3 cp README.md s3://first/ && aws s3 ls s3://first',
    'rclone',
    `  rclone lsf --s3-provider Other --s3-endpoint ${endpoint} --s3-access-key-id ${accessKeyId} --s3-secret-access-key ${shownSecret} :s3:first`,
    'boto3',
    `  python3 -c "import boto3; print(boto3.client('s3', endpoint_url='${endpoint}', region_name='us-east-1', aws_access_key_id='${accessKeyId}', aws_secret_access_key='${shownSecret}').list_buckets()['Buckets'])"`,
    '',
    `HTTP is served by ${adapter}.      Health: npx holdfast status ${shellWord(site)}      Stop: Ctrl-C`,
  ].join('\n')
}
