/** Sites on real directories below /tmp, and what a person at the command line would do with them. */
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { createIdentity, type PrivateIdentity, publicIdentityText } from '../../src/bundles/identity.ts'
import type { Clock } from '../../src/environment.ts'
import { type ExportInput, type ExportReport, exportBundle } from '../../src/federation/export-bundle.ts'
import { type ImportInput, type ImportReport, importBundle } from '../../src/federation/import-bundle.ts'
import { newEpoch } from '../../src/federation/new-epoch.ts'
import { removePeer, revokePeer } from '../../src/federation/peer-trust.ts'
import { addPeer } from '../../src/federation/peers.ts'
import { acknowledge } from '../../src/federation/receipts.ts'
import type { FederationFault, FederationProgress, FederationSite } from '../../src/federation/site.ts'
import { Lock } from '../../src/lock.ts'
import type { Result } from '../../src/result.ts'
import { initSite } from '../../src/store/local/init-site.ts'
import { type LocalSite, openLocalSite } from '../../src/store/local/open-site.ts'
import { decodeSite, encodeSite, SITE_FILE } from '../../src/store/local/site-file.ts'
import type { Store } from '../../src/store/store.ts'
import type { Bucket, BucketId, BucketName, ObjectVersion, Part, Tags } from '../../src/store/terms.ts'
import { realClock, realRandom } from '../store/local/real-environment.ts'

const home = mkdtempSync(join(tmpdir(), 'holdfast-federation-'))
const sites: TestSite[] = []
afterAll(async () => {
  for (const site of sites) await site.close()
  rmSync(home, { recursive: true, force: true })
})

let folders = 0
/** A path below the test's folder that nobody else uses. */
export const newPath = (name: string): string => join(home, `${++folders}-${name}`)

export const noProgress: FederationProgress = () => undefined

export function value<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`)
  return result.value
}

class TestClock implements Clock {
  aheadMs = 0
  nowMs(): number {
    return realClock.nowMs() + this.aheadMs
  }
  timer(delayMs: number, then: () => void): () => void {
    return realClock.timer(delayMs, then)
  }
}

export class TestSite {
  readonly name: string
  readonly directory: string
  readonly federation: FederationSite
  #local: LocalSite
  #isOpen = true
  #identity: PrivateIdentity
  readonly #clock: TestClock

  private constructor(name: string, directory: string, identity: PrivateIdentity, local: LocalSite, clock: TestClock) {
    this.name = name
    this.directory = directory
    this.#local = local
    this.#clock = clock
    const store = (): Store => this.store
    this.#identity = identity
    const present = (): PrivateIdentity => this.#identity
    this.federation = {
      get store() {
        return store()
      },
      get identity() {
        return present()
      },
      keepIdentity: (next) => {
        this.#identity = next
      },
      ownerId: createHash('sha256').update(name).digest('hex'),
      stateDirectory: join(directory, 'exports'),
      clock,
      random: realRandom,
      underWay: new Set(),
      imports: new Lock(),
    }
  }

  static async create(name: string): Promise<TestSite> {
    const directory = newPath(name)
    const identity = createIdentity(realRandom, realClock.nowMs())
    const clock = new TestClock()
    const diskDirectories = [join(directory, 'disk')]
    const site = identity.publicIdentity.siteId
    value(await initSite({ siteDirectory: directory, diskDirectories, parity: 0, name, site, clock, random: realRandom }))
    const local = value(await openLocalSite({ siteDirectory: directory, clock, random: realRandom }))
    const made = new TestSite(name, directory, identity, local, clock)
    sites.push(made)
    return made
  }

  /** Its clock goes this far ahead of the time of day. */
  set aheadMs(ms: number) {
    this.#clock.aheadMs = ms
  }

  /** A copy of the site as it is now, to be restored later. */
  async copied(): Promise<string> {
    const copy = newPath('copy')
    await this.close()
    cpSync(this.directory, copy, { recursive: true })
    await this.#open()
    return copy
  }

  async restore(copy: string): Promise<void> {
    await this.close()
    rmSync(this.directory, { recursive: true })
    cpSync(copy, this.directory, { recursive: true })
    await this.#open()
  }

  /** Closed and opened again; with the index to be made anew, or a file of the site from an earlier epoch. */
  async restarted(after: { readonly index?: 'removed'; readonly siteFileEpoch?: number } = {}): Promise<void> {
    await this.close()
    if (after.index === 'removed') rmSync(join(this.directory, 'index'), { recursive: true })
    if (after.siteFileEpoch !== undefined) {
      const file = join(this.directory, SITE_FILE)
      const record = value(decodeSite(readFileSync(file)))
      writeFileSync(file, encodeSite({ ...record, epoch: after.siteFileEpoch }))
    }
    await this.#open()
  }

  /** Another site with all that the copy has, its keys too. */
  static async cloned(original: TestSite, copy: string): Promise<TestSite> {
    const { clock, random, identity } = original.federation
    const local = value(await openLocalSite({ siteDirectory: copy, clock, random }))
    const made = new TestSite(original.name, copy, identity, local, clock as TestClock)
    sites.push(made)
    return made
  }

  /** Starts again from the journal alone. */
  loseIndex(): Promise<void> {
    return this.restarted({ index: 'removed' })
  }

  async #open(): Promise<void> {
    this.#local = value(await openLocalSite({ siteDirectory: this.directory, clock: this.#clock, random: realRandom }))
    this.#isOpen = true
  }

  get store(): Store {
    return this.#local.engine.store
  }

  /** Once or more. An open site takes 1 TiB of addresses for its index: a test with many closes them. */
  async close(): Promise<void> {
    if (this.#isOpen) await this.#local.close()
    this.#isOpen = false
  }

  async meet(other: TestSite, options: { readonly compared: boolean } = { compared: true }): Promise<void> {
    const { publicIdentity } = other.federation.identity
    const identityText = publicIdentityText(publicIdentity)
    value(
      await addPeer(this.federation, {
        identityText,
        name: other.name,
        ...(options.compared ? { fingerprint: publicIdentity.fingerprint } : {}),
      }),
    )
  }

  // What S3 clients would do

  async bucket(name: string): Promise<Bucket> {
    const bucket = await this.store.findBucket(name as BucketName)
    if (bucket === undefined) throw new Error(`no bucket ${name}`)
    return bucket
  }

  async make(name: string, versioning: 'unversioned' | 'enabled' | 'suspended' = 'unversioned'): Promise<Bucket> {
    const bucket = value(await this.store.createBucket({ name: name as BucketName, owner: this.federation.ownerId }))
    if (versioning !== 'unversioned') await this.versioning(name, versioning)
    return bucket
  }

  async versioning(name: string, versioning: 'enabled' | 'suspended'): Promise<void> {
    value(await this.store.putVersioning((await this.bucket(name)).id, versioning))
  }

  async put(bucket: string, key: string, content: string | Uint8Array, tags: Tags = []): Promise<string> {
    const body = typeof content === 'string' ? Buffer.from(content) : content
    const { id } = await this.bucket(bucket)
    const writer = this.store.stage(body.length)
    await writer.write(Uint8Array.from(body))
    const staged = value(await writer.finish())
    const etag = createHash('md5').update(body).digest('hex')
    const checksum = { algorithm: 'SHA256', type: 'FULL_OBJECT', value: createHash('sha256').update(body).digest('base64') } as const
    const attributes = { etag, headers: { contentType: 'text/x-test' }, userMetadata: [['by', this.name]] as const, tags, checksum }
    const written = await this.store.putObject({ bucketId: id, key, attributes, content: { kind: 'staged', staged } })
    return value(written).versionId
  }

  /** An object uploaded in parts. */
  async upload(bucket: string, key: string, contents: readonly Uint8Array[]): Promise<string> {
    const { id } = await this.bucket(bucket)
    const made = {
      headers: { contentType: 'text/x-parts' },
      userMetadata: [],
      tags: [],
      checksumAlgorithm: 'CRC32',
      checksumType: 'COMPOSITE',
    } as const
    const { uploadId } = value(await this.store.createUpload({ bucketId: id, key, ...made }))
    const parts: Part[] = []
    for (const [at, content] of contents.entries()) {
      const writer = this.store.stage(content.length)
      await writer.write(Uint8Array.from(content))
      const staged = value(await writer.finish())
      const etag = createHash('md5').update(content).digest('hex')
      const checksum = { algorithm: 'CRC32', type: 'FULL_OBJECT', value: Buffer.from([0, 0, 0, at]).toString('base64') } as const
      const part = { bucketId: id, key, uploadId, number: at * 3 + 1, etag, checksum, content: { kind: 'staged', staged } } as const
      parts.push(value(await this.store.putPart(part)))
    }
    const whole = { bucketId: id, key, uploadId, parts, etag: `${'e'.repeat(32)}-${parts.length}` }
    return value(await this.store.completeUpload(whole)).versionId
  }

  async remove(bucket: string, key: string, versionId?: string): Promise<void> {
    const { id } = await this.bucket(bucket)
    value(await this.store.deleteObject({ bucketId: id, key, ...(versionId === undefined ? {} : { versionId }) }))
  }

  // What the command line would do

  export(
    peer: TestSite,
    out: string,
    more: Partial<ExportInput> = {},
    progress: FederationProgress = noProgress,
  ): Promise<Result<ExportReport, FederationFault>> {
    const input: ExportInput = {
      ...{ peer: peer.name, out, volumeBytes: 1024 * 1024, parityVolumes: 0, full: false, expiresInMs: 24 * 3600 * 1000 },
      ...more,
    }
    return exportBundle(this.federation, input, progress)
  }

  import(
    dir: string,
    more: Partial<ImportInput> = {},
    progress: FederationProgress = noProgress,
  ): Promise<Result<ImportReport, FederationFault>> {
    return importBundle(this.federation, { dirs: [dir], dryRun: false, map: {}, merge: [], ...more }, progress)
  }

  revoke(peer: TestSite) {
    return revokePeer(this.federation, peer.name)
  }

  forget(peer: TestSite) {
    return removePeer(this.federation, peer.name)
  }

  beginEpoch(epoch: number) {
    return this.#local.engine.beginEpoch(epoch, 0)
  }

  newEpoch() {
    const { engine } = this.#local
    return newEpoch(this.federation, (epoch, clock) => engine.beginEpoch(epoch, clock))
  }

  acknowledge(receiptText: string) {
    return acknowledge(this.federation, { receiptText })
  }
}

/** Two sites that know each other. */
export async function twoSites(): Promise<{ readonly a: TestSite; readonly b: TestSite }> {
  const [a, b] = [await TestSite.create('alpha'), await TestSite.create('beta')]
  await a.meet(b)
  await b.meet(a)
  return { a, b }
}

/** Every version and marker of every bucket, newest first, with all that S3 shows of it and the digest of its bytes. */
export async function listing(site: TestSite, buckets?: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  for (const bucket of await site.store.listBuckets()) {
    if (buckets !== undefined && !buckets.includes(bucket.name)) continue
    lines.push(`${bucket.name} ${bucket.versioning} ${JSON.stringify(bucket.configuration)}`)
    for await (const version of versions(site.store, bucket.id))
      lines.push(`${bucket.name}/${await versionLine(site.store, bucket.id, version)}`)
  }
  return lines
}

async function* versions(store: Store, bucketId: BucketId) {
  let [after, afterVersionId] = ['', '']
  for (;;) {
    const page = await store.listVersions({
      ...{ bucketId, prefix: '', delimiter: '', after, max: 1000 },
      ...(afterVersionId === '' ? {} : { afterVersionId }),
    })
    yield* page.entries
    if (!page.truncated) return
    after = page.last
    afterVersionId = page.lastVersionId
  }
}

async function versionLine(
  store: Store,
  bucketId: BucketId,
  listed: { kind: string; key: string; versionId: string; isLatest: boolean },
): Promise<string> {
  const version = await store.findVersion(bucketId, listed.key, listed.versionId)
  const shown = [listed.key, listed.versionId, listed.kind, listed.isLatest]
  if (version?.kind !== 'object') return JSON.stringify([...shown, version?.kind, version?.modifiedMs])
  const { etag, headers, userMetadata, tags, checksum, bytes, partCount, modifiedMs } = version
  const digest = await contentDigest(store, version)
  const parts = await store.parts(version, 0, 100)
  return JSON.stringify([...shown, etag, headers, userMetadata, tags, checksum, bytes, partCount, modifiedMs, digest, parts])
}

export async function contentDigest(store: Store, version: ObjectVersion): Promise<string> {
  const hash = createHash('sha256')
  const reader = store.read(version, 0, version.bytes)
  for (;;) {
    const chunk = value(await reader.read())
    if (chunk === undefined) break
    hash.update(chunk)
  }
  reader.close()
  return hash.digest('hex')
}

/** The federation's documents, to see that nothing changed. */
export async function documents(site: TestSite): Promise<string[]> {
  const found: string[] = []
  for (const collection of ['peers', 'peer-sites', 'peer-holds', 'peer-buckets', 'exports', 'imports', 'batches'])
    for (const { name, content } of await site.store.federation.listDocuments(collection, '', 1000))
      found.push(`${collection}/${name} ${Buffer.from(content).toString()}`)
  return found
}
