/** The site served over TLS: post-quantum key exchange, S3 tools, and a certificate that is renewed while serving. */
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  ACCESS_KEY,
  holdfast,
  makeSite,
  REGION,
  removeTemporary,
  SECRET_KEY,
  type ServedSite,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'

const vectors = join(import.meta.dirname, '..', 'vectors', 'tls')
const certificate = (name: string): Buffer => readFileSync(join(vectors, `${name}.crt`))

let home: string
let files: { cert: string; key: string }
let site: ServedSite

/** Puts a certificate where the server reads it. */
function install(name: 'first' | 'second'): void {
  copyFileSync(join(vectors, `${name}.crt`), files.cert)
  copyFileSync(join(vectors, `${name}.key`), files.key)
}

beforeAll(async () => {
  home = temporaryDirectory()
  mkdirSync(join(home, 'tls'))
  files = { cert: join(home, 'tls', 'site.crt'), key: join(home, 'tls', 'site.key') }
  install('first')
  makeSite(join(home, 'site'))
  site = await serveSite(join(home, 'site'), '--tls-cert', files.cert, '--tls-key', files.key, '--threads', '2')
})
afterAll(async () => {
  await site?.stop()
  removeTemporary(home)
})

/** A connection that trusts only the certificates of the tests. */
function connected(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: [certificate('first'), certificate('second')] }, () => resolve(socket))
    socket.once('error', reject)
  })
}

async function nameServed(): Promise<string> {
  const socket = await connected(site.port)
  const { CN } = socket.getPeerCertificate().subject
  socket.destroy()
  return String(CN)
}

function client(name: 'first' | 'second'): S3Client {
  return new S3Client({
    endpoint: site.endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: certificate(name), keepAlive: true }) }),
  })
}

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('the endpoint is https and keys are agreed on with X25519MLKEM768', async () => {
  expect(site.endpoint).toMatch(/^https:\/\//)
  const socket = await connected(site.port)
  expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' })
  expect(socket.getProtocol()).toBe('TLSv1.3')
  socket.destroy()
})

test('the AWS SDK stores and reads over it, large bodies and signed streams included', async () => {
  const s3 = client('first')
  const body = randomBytes(9 * 1024 * 1024)
  await s3.send(new CreateBucketCommand({ Bucket: 'secure' }))
  await s3.send(new PutObjectCommand({ Bucket: 'secure', Key: 'large', Body: body, ChecksumAlgorithm: 'SHA256' }))
  const got = await s3.send(new GetObjectCommand({ Bucket: 'secure', Key: 'large', ChecksumMode: 'ENABLED' }))
  expect(Buffer.compare(Buffer.from((await got.Body?.transformToByteArray()) ?? []), body)).toBe(0)
  s3.destroy()
})

test('after SIGHUP all threads show new connections the new certificate, and open connections go on', async () => {
  const before = client('first')
  await before.send(new PutObjectCommand({ Bucket: 'secure', Key: 'open', Body: 'connection' }))
  install('second')
  expect(await nameServed()).toBe('first')
  process.kill(site.pid, 'SIGHUP')
  await until(async () => (await nameServed()) === 'second')
  await until(() => site.log().includes('certificate was read again'))
  for (const _ of Array(8)) expect(await nameServed()).toBe('second')
  // Kept alive, so still the connection that trusts the first certificate alone.
  expect(await (await before.send(new GetObjectCommand({ Bucket: 'secure', Key: 'open' }))).Body?.transformToString()).toBe('connection')
  before.destroy()
  const after = client('second')
  expect(await (await after.send(new GetObjectCommand({ Bucket: 'secure', Key: 'open' }))).Body?.transformToString()).toBe('connection')
  after.destroy()
})

test('a certificate that cannot be used is not taken, the one before goes on, and the log says so', async () => {
  writeFileSync(files.cert, 'no certificate')
  process.kill(site.pid, 'SIGHUP')
  await until(() => site.log().includes('The new certificate was not taken, the one before goes on. '))
  expect(site.log()).toContain(`${files.cert} holds no certificate in PEM`)
  expect(site.log()).toMatch(/goes on\. [^\n]*--tls-cert\. Then send SIGHUP again\.\n/)
  expect(await nameServed()).toBe('second')
  // Of two threads, one line for each of the two times.
  expect(site.log().match(/certificate was/g)).toHaveLength(2)
})

/** What `serve` says with these files, which is one line and its end. */
function refusedWith(cert: string, key: string): string {
  const run = holdfast('serve', join(home, 'other'), '--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key)
  expect(run.code).toBe(5)
  expect(run.err).toMatch(/^holdfast: [^\n]+\.\n$/)
  expect(run.err).not.toMatch(/\bE[A-Z]{4,}\b|error:|routines/)
  return run.err
}

test('a server whose certificate cannot be used does not start, and says which file is wrong, how, and what to do', () => {
  makeSite(join(home, 'other'))
  const missing = join(home, 'missing.crt')
  const missingAt = `There is no file ${missing}: name the certificate chain in PEM with --tls-cert.`
  expect(refusedWith(missing, files.key)).toBe(`holdfast: ${missingAt}\n`)
  expect(refusedWith(home, files.key)).toContain(`${home} is a directory, not a file: name the certificate chain`)
  expect(refusedWith(files.cert, files.key)).toContain(`${files.cert} holds no certificate in PEM`)
  install('first')
  copyFileSync(join(vectors, 'second.key'), files.key)
  expect(refusedWith(files.cert, files.key)).toContain(`${files.key} is not the key of the certificate in ${files.cert}`)
})
