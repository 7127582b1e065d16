/**
 * How long the federation's documents are kept. Every export and import looks at a few of each collection, from a place of chance on, so that none grows without end and no
 * command has to wait for it. Format: docs/formats.md#operations, "Documents".
 */
import type { FederationStore } from '../store/federation-store.ts'
import { parseOrigin } from '../store/operation.ts'
import { NO_RANGES } from '../store/ranges.ts'
import { getBatchHead } from './batch.ts'
import { type DocumentChange, putDocuments } from './documents.ts'
import { exportEndMs } from './holdings.ts'
import { importEndMs } from './import-checks.ts'
import type { FederationSite } from './site.ts'
import { parsePosition } from './words.ts'

const LOOKED_AT = 20

/** Forgets what nothing can refer to any more. */
export async function pruneDocuments(site: FederationSite): Promise<void> {
  const store = site.store.federation
  const nowMs = site.clock.nowMs()
  const gone: DocumentChange[] = []
  for (const [collection, endMs] of [
    ['exports', exportEndMs],
    ['imports', importEndMs],
  ] as const)
    for (const { name, content } of await some(site, collection))
      if (endMs(name, content) < nowMs) gone.push({ collection, name, content: null })
  for (const { name, content } of await some(site, 'batches'))
    if (!(await isHeld(store, content, name))) gone.push({ collection: 'batches', name, content: null })
  await putDocuments(store, 'What is out of date could not be forgotten', gone)
}

async function some(site: FederationSite, collection: DocumentChange['collection']) {
  const store = site.store.federation
  const from = Buffer.from(site.random.bytes(16)).toString('hex')
  const behind = await store.listDocuments(collection, from, LOOKED_AT)
  if (behind.length === LOOKED_AT) return behind
  const first = await store.listDocuments(collection, '', LOOKED_AT - behind.length)
  return [...behind, ...first.filter(({ name }) => name <= from)]
}

/** A signature counts until its origin has signed all of that bucket again in a later epoch. */
async function isHeld(store: FederationStore, content: Uint8Array, name: string): Promise<boolean> {
  const { origin, bucket: position } = getBatchHead(name, content)
  const bucket = await store.findBucketByOrigin(parsePosition(position)!)
  if (bucket === undefined) return true
  const held = await store.held(bucket.id)
  const { site, epoch } = parseOrigin(origin)!
  const isSuperseded = Object.keys(held).some((other) => {
    const later = parseOrigin(other)
    return later?.site === site && later.epoch > epoch
  })
  return !isSuperseded || (held[origin] ?? NO_RANGES).length > 0
}
