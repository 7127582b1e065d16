/** Clients that go away in the middle of their uploads leave nothing behind: no file, no descriptor, no memory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { CreateMultipartUploadCommand, HeadBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { oneSite } from '../e2e/one-site.ts'
import { endpointOf } from '../e2e/site-contents.ts'
import { signedHeaders } from '../s3/suite/raw.ts'

const MIB = 1024 * 1024
const UPLOADS = 160
const AT_ONCE = 20
/** The server opens a few files for itself meanwhile, such as the journal's next segment; one wave has far more. */
const OWN_DESCRIPTORS = 16

describe.each(['uws', 'node'])('the %s adapter', (adapter) => {
  const served = oneSite('--http', adapter)

  /** Sends so much of 8 MiB and goes away. */
  function breakOff(path: string, query: string | undefined, bytes: number): Promise<void> {
    const headers = { 'content-length': String(8 * MIB) }
    const host = new URL(served.site.endpoint).host
    const signed = signedHeaders(
      endpointOf(served.site),
      { method: 'PUT', path, headers, contentSha256: 'UNSIGNED-PAYLOAD', ...(query && { query }) },
      host,
    )
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`)
    return new Promise((resolve) => {
      const socket = connect(served.site.port, '127.0.0.1').on('error', () => resolve())
      socket.on('close', () => resolve())
      socket.write(`PUT ${path}${query ? `?${query}` : ''} HTTP/1.1\r\n${lines.join('')}\r\n`)
      socket.write(Buffer.alloc(bytes, 'upload'), () => socket.destroy())
    })
  }

  const descriptors = (): number => readdirSync(`/proc/${served.site.pid}/fd`).length
  const residentBytes = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${served.site.pid}/status`, 'utf8'))?.[1]) * 1024
  const shards = (): string[] =>
    served.site.disks
      .map((disk) => join(disk, 'extents'))
      .filter(existsSync)
      .flatMap((extents) => readdirSync(extents, { recursive: true, withFileTypes: true }))
      .flatMap((entry) => (entry.isFile() ? [entry.name] : []))

  test(`${UPLOADS} uploads and parts that break off leave nothing behind`, async () => {
    const { UploadId } = await served.client.send(new CreateMultipartUploadCommand({ Bucket: 'bucket', Key: 'parts' }))
    const wave = (from: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: AT_ONCE }, (_, of) => {
          const index = from + of
          const bytes = (index * 217_001) % (6 * MIB)
          return index % 3 === 0
            ? breakOff('/bucket/parts', `partNumber=${index + 1}&uploadId=${UploadId}`, bytes)
            : breakOff(`/bucket/key-${index}`, undefined, bytes)
        }),
      )
    /** What is left once the server has dealt with all of them: it answers others meanwhile. */
    const nothingLeft = async (before: number): Promise<void> => {
      while (shards().length > 0 || descriptors() > before + OWN_DESCRIPTORS)
        await served.client.send(new HeadBucketCommand({ Bucket: 'bucket' }))
    }
    await served.client.send(new HeadBucketCommand({ Bucket: 'bucket' }))
    const before = descriptors()
    let warm = 0
    for (let sent = 0; sent < UPLOADS; sent += AT_ONCE) {
      await wave(sent)
      await nothingLeft(before)
      // What it takes for so many at once it keeps for the next.
      if (sent < UPLOADS / 3) warm = residentBytes()
    }
    expect(residentBytes() - warm).toBeLessThan(64 * MIB)
    expect((await served.client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).KeyCount).toBe(0)
  }, 180_000)
})
