/**
 * Bursts of fast uploads, parts and downloads that their clients break off cost no more memory than docs/operations.md states, however many there were.
 * Measured is what the process has for itself (RssAnon): pages of the index that the kernel may take back do not count.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { CreateMultipartUploadCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { oneSite } from '../e2e/one-site.ts'
import { breakOffDownload, breakOffUpload } from './broken-transfer.ts'

const MIB = 1024 * 1024
const OBJECT_BYTES = 16 * MIB
const TRANSFERS = 300
const AT_ONCE = 20
/** As stated in docs/operations.md#memory: 96 MiB for each processor, and 320 MiB for bodies that wait and the heaps of all threads. */
const UPLOADS_BYTES_MAX = (96 * availableParallelism() + 320) * MIB
/** Each has two runs of 1 MiB and a chunk; the pools keep as many. */
const DOWNLOADS_BYTES_MAX = (64 * availableParallelism() + 64) * MIB
const SAMPLE_MS = 20

describe.each(['uws', 'node'])('the %s adapter', (adapter) => {
  const served = oneSite('--http', adapter)

  const privateBytes = (): number => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${served.site.pid}/status`, 'utf8'))?.[1]) * 1024

  /** How far the server grows beyond what it had before while clients break off, AT_ONCE at a time. */
  async function growthWhile(breakOff: (index: number) => Promise<void>): Promise<number> {
    const before = privateBytes()
    let most = before
    const sampler = setInterval(() => {
      most = Math.max(most, privateBytes())
    }, SAMPLE_MS)
    let next = 0
    const clientLoop = async (): Promise<void> => {
      while (next < TRANSFERS) await breakOff(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, clientLoop))
    // It is answered when the server is through with most of them.
    await served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'after', Body: Buffer.alloc(2 * MIB) }))
    clearInterval(sampler)
    return Math.max(most, privateBytes()) - before
  }

  test(`${TRANSFERS} uploads and parts of 16 MiB, and as many downloads, that are broken off cost bounded memory`, async () => {
    const { UploadId } = await served.client.send(new CreateMultipartUploadCommand({ Bucket: 'bucket', Key: 'parts' }))
    await served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'object', Body: Buffer.alloc(OBJECT_BYTES, 'object') }))
    const half = { sent: OBJECT_BYTES / 2, of: OBJECT_BYTES }
    const uploads = await growthWhile((index) =>
      index % 3 === 0
        ? breakOffUpload(served.site, { path: '/bucket/parts', query: `partNumber=${index + 1}&uploadId=${UploadId}` }, half)
        : breakOffUpload(served.site, { path: `/bucket/key-${index}` }, half),
    )
    const downloads = await growthWhile(() => breakOffDownload(served.site, { path: '/bucket/object' }, OBJECT_BYTES / 4))
    const again = await growthWhile((index) => breakOffUpload(served.site, { path: `/bucket/again-${index}` }, half))
    const [up, down, more] = [uploads, downloads, again].map((bytes) => Math.round(bytes / MIB))
    console.log(`grew ${up} MiB for uploads, ${down} for downloads, ${more} for uploads again; bound ${UPLOADS_BYTES_MAX / MIB}`)
    // It does not grow with their number.
    expect(uploads + again).toBeLessThan(UPLOADS_BYTES_MAX)
    expect(downloads).toBeLessThan(DOWNLOADS_BYTES_MAX)
    expect((await served.client.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'after' }))).ContentLength).toBe(2 * MIB)
  }, 300_000)
})
