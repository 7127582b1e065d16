/** What a site holds of a bucket, key by key, as leaves of its digest. Memory: a page of a listing. Format: docs/formats.md#bucket-digest. */
import { createHash, type Hash } from 'node:crypto'
import { ContentDigest } from '../bundles/merkle.ts'
import type { Frontier } from '../store/operation.ts'
import { upTo } from '../store/ranges.ts'
import type { Store } from '../store/store.ts'
import type { Bucket, ObjectVersion, Part, Version } from '../store/terms.ts'
import type { KeyLeaf } from './digest-file.ts'
import { partFields } from './operation.ts'
import { Refusal } from './site.ts'
import { canonicalJson, positionText } from './words.ts'

const PAGE = 1000

/** The operations that the state comes from, this site's own included. */
export async function holdsIn(store: Store, { id }: Bucket): Promise<Frontier> {
  const { federation } = store
  const made = await federation.lastOperation(id)
  return { ...(await federation.held(id)), ...(made > 0 && { [federation.origin]: upTo(made) }) }
}

/** The bucket's own leaf, then those of its keys, ascending. `content`: every byte is read. */
export async function* leavesOf(store: Store, bucket: Bucket, content: boolean): AsyncGenerator<KeyLeaf> {
  const { configuration, versioning } = bucket
  const own = begun('')
  own.update(`${canonicalJson({ configuration, versioning })}\n`)
  yield { key: '', versions: 0, leaf: own.digest() }
  let open: { readonly key: string; readonly hash: Hash; versions: number } | undefined
  for await (const version of versionsOf(store, bucket)) {
    if (open !== undefined && open.key !== version.key) {
      yield { key: open.key, versions: open.versions, leaf: open.hash.digest() }
      open = undefined
    }
    open ??= { key: version.key, hash: begun(version.key), versions: 0 }
    open.hash.update(`${await versionText(store, version, content)}\n`)
    open.versions += 1
  }
  if (open !== undefined) yield { key: open.key, versions: open.versions, leaf: open.hash.digest() }
}

const begun = (key: string): Hash =>
  createHash('sha384')
    .update(Uint8Array.of(0))
    .update(`${JSON.stringify(key)}\n`)

async function* versionsOf(store: Store, { id: bucketId }: Bucket): AsyncGenerator<Version> {
  let [after, afterVersionId] = ['', '']
  for (;;) {
    // What is deleted while its page is read stays readable.
    const lease = store.lease()
    try {
      const from = { bucketId, prefix: '', delimiter: '', after, max: PAGE }
      const page = await store.listVersions(afterVersionId === '' ? from : { ...from, afterVersionId })
      for (const { key, versionId } of page.entries) {
        const version = await store.findVersion(bucketId, key, versionId)
        if (version !== undefined) yield version
      }
      if (!page.truncated) return
      after = page.last
      afterVersionId = page.lastVersionId
    } finally {
      lease.release()
    }
  }
}

async function versionText(store: Store, version: Version, content: boolean): Promise<string> {
  const { kind, position, versionId } = version
  const common = { kind, position: positionText(position), version: versionId }
  if (version.kind === 'delete-marker') return canonicalJson(common)
  const { bytes, checksum, etag, headers, userMetadata, tags } = version
  return canonicalJson({
    ...{ ...common, bytes, etag, headers, metadata: userMetadata, tags },
    checksum: checksum ?? null,
    digest: content ? await digestOf(store, version) : null,
    parts: (await partsOf(store, version)).map(partFields),
  })
}

async function partsOf(store: Store, version: ObjectVersion): Promise<Part[]> {
  const parts: Part[] = []
  while (parts.length < version.partCount) {
    const more = await store.parts(version, parts.at(-1)?.number ?? 0, PAGE)
    if (more.length === 0) break
    parts.push(...more)
  }
  return parts
}

async function digestOf(store: Store, version: ObjectVersion): Promise<string> {
  const found = new ContentDigest()
  const reader = store.read(version, 0, version.bytes)
  try {
    for (;;) {
      const read = await reader.read()
      if (!read.ok)
        throw new Refusal(
          6,
          read.error,
          `${version.key} (version ${version.versionId}) cannot be read back: ${read.error}. See "holdfast status".`,
        )
      if (read.value === undefined) return found.digest()
      found.update(read.value)
    }
  } finally {
    reader.close()
  }
}
