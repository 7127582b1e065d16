// store-and-read.mjs ARCHIVE-DIR: makes a site with the unpacked archive, serves it, stores an object, reads it after a restart.
import { spawn, spawnSync } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'

const archive = process.argv[2]
const program = join(archive, 'holdfast')
const keys = { access: 'offlineadmin', secret: 'offlinesecret' }
const environment = { PATH: '', HOLDFAST_ROOT_ACCESS_KEY: keys.access, HOLDFAST_ROOT_SECRET_KEY: keys.secret }
const home = mkdtempSync(join(archive, 'try-'))
const site = join(home, 'site')

if (process.env.PATH !== '') throw new Error(`PATH is not empty: ${process.env.PATH}`)
const outside = Object.values(networkInterfaces())
  .flat()
  .filter((address) => !address.internal)
if (outside.length > 0) throw new Error('there is a network here')

const made = spawnSync(program, ['init', site], { env: environment, encoding: 'utf8' })
if (made.status !== 0) throw new Error(`init ended with ${made.status}: ${made.stderr}`)

const body = randomBytes(5_000_000)
let server = await serve()
await mustAnswer(200, 'PUT', server.endpoint, '/bucket', new Uint8Array())
await mustAnswer(200, 'PUT', server.endpoint, '/bucket/large', body)
await mustAnswer(200, 'PUT', server.endpoint, '/bucket/small', body.subarray(0, 100))
await server.stop()
server = await serve()
const large = await mustAnswer(200, 'GET', server.endpoint, '/bucket/large')
const small = await mustAnswer(200, 'GET', server.endpoint, '/bucket/small')
if (!large.equals(body) || !small.equals(body.subarray(0, 100))) throw new Error('other bytes came back')
await server.stop()
rmSync(home, { recursive: true })
console.log('stored and read without network, Node.js or PATH')

async function serve() {
  const child = spawn(program, ['serve', site, '--listen', '127.0.0.1:0'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  let out = ''
  const endpoint = await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      out += text
      const found = /http:\/\/\S+:\d+/.exec(out)
      if (found !== null) resolve(found[0])
    })
    ended.then((code) => reject(new Error(`serve ended with ${code}`)))
  })
  const stop = () => {
    child.kill('SIGTERM')
    return ended
  }
  return { endpoint, stop }
}

async function mustAnswer(status, method, endpoint, path, content) {
  const reply = await fetch(endpoint + path, {
    method,
    headers: signed(method, endpoint, path, content ?? new Uint8Array()),
    ...(content === undefined ? {} : { body: content }),
  })
  const received = Buffer.from(await reply.arrayBuffer())
  if (reply.status !== status) throw new Error(`${method} ${path}: ${reply.status} ${received}`)
  return received
}

// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header".
function signed(method, endpoint, path, content) {
  const hash = (bytes) => createHash('sha256').update(bytes).digest('hex')
  const hmac = (key, text) => createHmac('sha256', key).update(text).digest()
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`
  const host = new URL(endpoint).host
  const digest = hash(content)
  const canonical = `${method}\n${path}\n\nhost:${host}\nx-amz-content-sha256:${digest}\nx-amz-date:${time}\n\nhost;x-amz-content-sha256;x-amz-date\n${digest}`
  const key = ['us-east-1', 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${keys.secret}`, time.slice(0, 8)))
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash(canonical)}`).toString('hex')
  return {
    'x-amz-content-sha256': digest,
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.access}/${scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`,
  }
}
