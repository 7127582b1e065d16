/** Clients that go away in the middle of their uploads leave nothing behind: no file, no descriptor, no memory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateMultipartUploadCommand, HeadBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { oneSite } from '../e2e/one-site.ts'
import { breakOffUpload } from './broken-transfer.ts'

const MIB = 1024 * 1024
const UPLOADS = 160
const AT_ONCE = 20
/** The server opens a few files for itself meanwhile, such as the journal's next segment; one wave has far more. */
const OWN_DESCRIPTORS = 16

describe.each(['uws', 'node'])('the %s adapter', (adapter) => {
  const served = oneSite('--http', adapter)

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
          const much = { sent: (index * 217_001) % (6 * MIB), of: 8 * MIB }
          return index % 3 === 0
            ? breakOffUpload(served.site, { path: '/bucket/parts', query: `partNumber=${index + 1}&uploadId=${UploadId}` }, much)
            : breakOffUpload(served.site, { path: `/bucket/key-${index}` }, much)
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
