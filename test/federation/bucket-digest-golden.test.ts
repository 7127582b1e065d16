/** The golden file was made by another program from the format's description: what we write and read is the same to the byte. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { leavesOf } from '../../src/federation/bucket-state.ts'
import { DigestFile, DigestWriter, headerLine, leafLine } from '../../src/federation/digest-file.ts'
import { parsePosition } from '../../src/federation/words.ts'
import type { Store } from '../../src/store/store.ts'
import type { Bucket, Part, Version } from '../../src/store/terms.ts'
import { newPath } from './sites.ts'

const folder = join(import.meta.dirname, '..', 'vectors', 'bucket-digest')
const golden = readFileSync(join(folder, 'photos.digest'))
const made = JSON.parse(readFileSync(join(folder, 'photos.json'), 'utf8')) as {
  digest: string
  versions: Record<string, string[]>
  bucket: Pick<Bucket, 'configuration' | 'versioning'>
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
}

/** A store that holds what the file was made from, as far as a digest asks. */
function storeOf(): Store {
  const all: Version[] = []
  const parts = new Map<Version, Part[]>()
  const keys = Object.keys(made.versions).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const key of keys) {
    for (const text of made.versions[key]!) {
      const { version: versionId, position, metadata: userMetadata, checksum, parts: listed = [], ...said } = JSON.parse(text)
      const version = { ...said, key, versionId, position: parsePosition(position), userMetadata, partCount: listed.length }
      if (checksum !== null) version.checksum = checksum
      all.push(version as Version)
      parts.set(
        version as Version,
        (listed as [number, number, string, number, string?, string?, string?][]).map(
          ([number, bytes, etag, modifiedMs, algorithm, type, value]) =>
            ({ number, bytes, etag, modifiedMs, ...(algorithm && { checksum: { algorithm, type, value } }) }) as Part,
        ),
      )
    }
  }
  return {
    lease: () => ({ release: () => undefined }),
    listVersions: async () => ({ entries: all, commonPrefixes: [], truncated: false, last: '', lastVersionId: '' }),
    findVersion: async (_bucket: unknown, key: string, versionId: string) =>
      all.find((one) => one.key === key && one.versionId === versionId),
    parts: async (version: Version) => parts.get(version) ?? [],
  } as unknown as Store
}

test('what is written of the same bucket is the golden file', async () => {
  const { header } = await DigestFile.open(inPieces(golden))
  const out = newPath('digest')
  const writer = new DigestWriter(out)
  await writer.write(headerLine(header))
  let keys = -1
  for await (const leaf of leavesOf(storeOf(), made.bucket as Bucket, false)) {
    await writer.write(leafLine(leaf))
    keys += 1
  }
  await writer.finish({ digest: made.digest, keys })
  expect(readFileSync(out, 'utf8')).toBe(golden.toString())
})

test('the golden file is read, and its digest is borne out', async () => {
  const file = await DigestFile.open(inPieces(golden))
  expect(file.header).toMatchObject({ name: 'photos', content: false, madeMs: Date.UTC(2026, 10, 23, 12) })
  const keys: string[] = []
  for await (const { key, versions } of file.leaves()) keys.push(`${key} ${versions}`)
  expect(keys).toEqual([' 0', 'a 1', 'a/"b" 2', 'z 1', 'ä 1', '\u{1f600} 1'])
  expect(file.digest).toBe(made.digest)
})
