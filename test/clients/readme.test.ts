import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeTemporary, temporaryDirectory } from '../served-site.ts'

const root = join(import.meta.dirname, '..', '..')
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

let home: string
let clone: string
let server: ChildProcess
let printed = ''

/** The environment of somebody who has just logged in: nothing of the npm that runs this test, and none of the machine's caches. */
function newcomer(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|AWS_|HOLDFAST_|NODE_PATH|VITEST|NODE_ENV|MALLOC_)/i.test(name))
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'))
  return { ...Object.fromEntries(own), PATH: path.join(':'), HOME: home, npm_config_cache: join(home, 'npm-cache') }
}

/** Runs a block of the README as somebody would paste it, in the folder of the clone. */
function paste(script: string): string {
  const exportLine = /^ *(export AWS_.*)$/m.exec(printed)?.[1] ?? ''
  const ran = spawnSync('bash', ['-ec', `${exportLine}\n${script}`], {
    cwd: clone,
    encoding: 'utf8',
    timeout: 240_000,
    env: { ...newcomer(), PATH: `${process.env.HOLDFAST_CLIENTS}/venv/bin:${newcomer().PATH}` },
  })
  if (ran.status !== 0) throw new Error(`${script}\nended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout
}

beforeAll(async () => {
  home = temporaryDirectory()
  clone = join(home, 'clone')
  const cloned = spawnSync('git', ['clone', '--quiet', root, clone], { encoding: 'utf8' })
  if (cloned.status !== 0) throw new Error(cloned.stderr)
  server = spawn('npm', ['start'], {
    cwd: clone,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...newcomer(), HOLDFAST_LISTEN: '127.0.0.1:19790' },
  })
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (text: Buffer) => {
      printed += text.toString()
      if (/Ctrl-C/.test(printed)) resolve()
    })
    server.once('exit', (code) => reject(new Error(`npm start ended with ${code}: ${printed}`)))
  })
}, 300_000)

afterAll(() => {
  if (server?.pid !== undefined) process.kill(-server.pid, 'SIGTERM')
  removeTemporary(home)
})

test('in a fresh clone with an empty npm cache, npm start prints the endpoint, the keys and lines to paste', () => {
  for (const words of ['http://127.0.0.1:19790', 'access key', 'secret key', 'aws-cli', 'rclone', 'boto3']) expect(printed).toContain(words)
})

test('the first five minutes go as the README says, word for word', () => {
  const [, objects, disk, bundle] = blocks as [string, string, string, string]
  const versions = JSON.parse(paste(objects).replace(/^[^{]*/, ''))
  expect(versions.Versions).toHaveLength(2)
  const looked = paste(disk)
  expect(looked).toContain('healthy')
  expect(looked).toContain('disk2  out')
  expect(looked).toContain('"name": "holdfast"')
  const [commands, serveCommand] = [bundle.trim().split('\n').slice(0, -1).join('\n'), bundle.trim().split('\n').at(-1)]
  expect(serveCommand).toContain('serve other')
  paste(commands)
  // A job of its own, so that npx and all that it started end together.
  const asked = `set -m; ${serveCommand} > served 2>&1 & curl -s --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null -w '%{http_code}' http://127.0.0.1:9001/; kill -TERM -- -$!; wait || true`
  expect(paste(asked)).toContain('403')
}, 300_000)
