/** A server that is told to stop finishes what is in flight, takes nothing new, and is gone within ten seconds whatever its clients do. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { holdfast, makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { clientOf } from './site-contents.ts'

const MIB = 1024 * 1024
/** More than the buffers of kernel and server hold for a client that does not read. */
const LARGE_BYTES = 24 * MIB

let home: string
beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

async function serveOne(name: string, adapter: string): Promise<ServedSite> {
  makeSite(`${home}/${name}`)
  const site = await serveSite(`${home}/${name}`, '--http', adapter)
  const client = clientOf(site)
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  client.destroy()
  return site
}

async function signed(site: ServedSite, command: PutObjectCommand | GetObjectCommand): Promise<string> {
  const client = clientOf(site)
  const url = await getSignedUrl(client, command as GetObjectCommand)
  client.destroy()
  return url
}

/** An upload of which the server has taken the head (it said 100 Continue) and the body is still to come. */
async function beginUpload(
  site: ServedSite,
  key: string,
  bytes: number,
): Promise<{ upload: ClientRequest; reply: Promise<IncomingMessage> }> {
  const upload = request(await signed(site, new PutObjectCommand({ Bucket: 'bucket', Key: key })), {
    method: 'PUT',
    agent: false,
    headers: { 'content-length': bytes, expect: '100-continue' },
  })
  const reply = new Promise<IncomingMessage>((resolve, reject) => upload.once('response', resolve).once('error', reject))
  reply.catch(() => undefined)
  upload.flushHeaders()
  await new Promise((resolve) => upload.once('continue', resolve))
  return { upload, reply }
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  )
}

async function untilRefused(endpoint: string): Promise<void> {
  while (await answers(endpoint)) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe.concurrent.each(['uws', 'node'])('the %s adapter, told to stop,', (adapter) => {
  test('takes nothing new, finishes an upload and a download, and ends with 0; both are whole', async () => {
    const site = await serveOne(`finishing-${adapter}`, adapter)
    const client = clientOf(site)
    const large = randomBytes(LARGE_BYTES)
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'large', Body: large }))
    const download = request(await signed(site, new GetObjectCommand({ Bucket: 'bucket', Key: 'large' })), { agent: false })
    const downloading = new Promise<IncomingMessage>((resolve) => download.once('response', resolve))
    download.end()
    const incoming = await downloading
    const half = randomBytes(3 * MIB)
    const { upload, reply } = await beginUpload(site, 'slow', 2 * half.length)
    upload.write(half)

    const ended = site.stop()
    await untilRefused(site.endpoint)
    upload.end(half)
    expect((await reply).statusCode).toBe(200)
    const chunks: Buffer[] = []
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
    expect(Buffer.compare(Buffer.concat(chunks), large)).toBe(0)
    expect(await ended).toBe(0)
    expect(site.log()).toBe('')

    const again = await serveSite(site.directory)
    const stored = await clientOf(again).send(new GetObjectCommand({ Bucket: 'bucket', Key: 'slow' }))
    expect(Buffer.compare(Buffer.from((await stored.Body?.transformToByteArray()) ?? []), Buffer.concat([half, half]))).toBe(0)
    expect(await again.stop()).toBe(0)
    client.destroy()
  })

  test('and told again, as Ctrl-C does that reaches it twice, finishes all the same', async () => {
    const site = await serveOne(`twice-${adapter}`, adapter)
    const half = randomBytes(MIB)
    const { upload, reply } = await beginUpload(site, 'slow', 2 * half.length)
    upload.write(half)
    const ended = site.stop('SIGINT')
    await untilRefused(site.endpoint)
    void site.stop('SIGINT')
    void site.stop('SIGTERM')
    upload.end(half)
    expect((await reply).statusCode).toBe(200)
    expect(await ended).toBe(0)
  })

  test('is gone within ten seconds although clients neither send nor read, and keeps nothing of what was not finished', async () => {
    const site = await serveOne(`stalling-${adapter}`, adapter)
    const { upload, reply } = await beginUpload(site, 'never-finished', 10 * MIB)
    upload.write(randomBytes(MIB))
    const asked = performance.now()
    expect(await site.stop()).toBe(0)
    expect(performance.now() - asked).toBeLessThan(10_000)
    await expect(reply).rejects.toThrow()
    const again = await serveSite(site.directory)
    const client = clientOf(again)
    await expect(client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'never-finished' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    })
    client.destroy()
    expect(await again.stop()).toBe(0)
  })
})

/** The start script, typed by somebody: under a Node.js that can hand its process over to the server, and under one that has to stand beside it. */
const WAYS = [
  { way: 'takes its place', flags: [], processes: 1 },
  { way: 'runs beside it', flags: ['--import', 'data:text/javascript,process.execve=undefined'], processes: 2 },
]

describe.each(WAYS)('where the server $way, the command that was typed', ({ way, flags, processes }) => {
  const directory = () => join(home, `typed, ${way}`)
  const typed = (...words: string[]) => {
    const script = join(import.meta.dirname, '..', '..', 'packaging', 'holdfast.mjs')
    const child = spawn(process.execPath, [...flags, script, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    const said = { out: '', err: '' }
    child.stdout.on('data', (text: Buffer) => {
      said.out += text.toString()
    })
    child.stderr.on('data', (text: Buffer) => {
      said.err += text.toString()
    })
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
    // The pipe is the server's too: it closes when nobody is left.
    const gone = new Promise<void>((resolve) => child.stdout.once('close', () => resolve()))
    const serving = new Promise<string>((resolve) =>
      child.stdout.on('data', () => {
        const found = /http:\S+/.exec(said.out)
        if (found !== null) resolve(found[0])
      }),
    )
    return { child, said, ended, gone, serving }
  }
  beforeAll(() => makeSite(directory()))

  test('ends with its exit code, and nothing is said but by the command', async () => {
    const status = typed('status', directory())
    expect(await status.ended).toBe(0)
    await status.gone
    expect(status.said).toEqual({ out: expect.stringContaining('healthy'), err: '' })
    const missing = typed('status', join(home, 'missing'))
    expect(await missing.ended).toBe(2)
    expect(missing.said.err).toMatch(/^holdfast: There is no directory [^\n]+\n$/)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('stops it in good order on %s, and outlasts SIGHUP', async (signal) => {
    const server = typed('serve', directory(), '--listen', '127.0.0.1:0')
    const endpoint = await server.serving
    const pid = Number(/by process (\d+)/.exec(holdfast('serve', directory()).err)?.[1])
    expect(pid === server.child.pid).toBe(processes === 1)
    server.child.kill('SIGHUP')
    expect(await answers(endpoint)).toBe(true)
    server.child.kill(signal)
    expect(await server.ended).toBe(0)
    expect(server.said.err).toBe('')
  })

  test('has killed it when it is killed: it is gone, and the site can be opened again', async () => {
    const server = typed('serve', directory(), '--listen', '127.0.0.1:0')
    const endpoint = await server.serving
    expect(await answers(endpoint)).toBe(true)
    server.child.kill('SIGKILL')
    expect(await server.ended).toBe('SIGKILL')
    await server.gone
    expect(await answers(endpoint)).toBe(false)
    expect(holdfast('status', directory()).code).toBe(0)
  })
})
