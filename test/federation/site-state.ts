/** What a refused import, a dry run or a refused receipt must leave as it was. */
import { createHash } from 'node:crypto'
import { digestBucket } from '../../src/federation/bucket-digest.ts'
import { positionText } from '../../src/federation/words.ts'
import { noProgress, type TestSite, value } from './sites.ts'

const COLLECTIONS = [
  'peers',
  'peer-sites',
  'peer-states',
  'peer-rules',
  'peer-holds',
  'peer-buckets',
  'site',
  'exports',
  'imports',
  'batches',
] as const

/** All that an import or a receipt could change. */
export async function stateOf(site: TestSite): Promise<readonly string[]> {
  const { federation } = site.store
  const lines: string[] = []
  for (const bucket of await site.store.listBuckets()) {
    const { digest } = value(await digestBucket(site.federation, { bucket: bucket.name, content: false }, noProgress))
    lines.push(`${bucket.name} ${digest} ${JSON.stringify(await federation.held(bucket.id))} ${await federation.lastOperation(bucket.id)}`)
  }
  for (const bucket of await federation.deletedBuckets()) lines.push(`${bucket.name} ${positionText(bucket.origin)} deleted`)
  for (const collection of COLLECTIONS)
    for (const { name, content } of await federation.listDocuments(collection, '', 1000))
      lines.push(`${collection}/${name} ${createHash('sha256').update(content).digest('hex').slice(0, 16)}`)
  return lines
}
