/**
 * Two sites, and whoever carries bundles between them: careless, late, twice, out of order, with damage, and now and then with ill will. All chosen by one seed. What must hold whatever
 * happens: a refused import, a dry run and a refused receipt change nothing; and once both sites have heard of all, they hold the same, with every version that nobody removed.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { digestBucket } from '../../src/federation/bucket-digest.ts'
import type { ExportInput } from '../../src/federation/export-bundle.ts'
import type { ImportReport } from '../../src/federation/import-bundle.ts'
import type { FederationFault, FederationProgress } from '../../src/federation/site.ts'
import { positionText } from '../../src/federation/words.ts'
import type { Result } from '../../src/result.ts'
import type { Bucket, ObjectVersion, Tags } from '../../src/store/terms.ts'
import { Chance } from '../sim/chance.ts'
import { type Carriage, carried } from './carriage.ts'
import { stateOf } from './site-state.ts'
import { newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

const KEYS = [
  'a',
  'dir/b',
  'dir/c',
  'dir//',
  '/',
  '.',
  '../x',
  'ä/ö 😀',
  'a\u0308',
  ' ',
  '%2F+',
  'k'.repeat(1024),
  'line\nfeed',
  '\uffff',
  '__proto__',
]
/** What an import of whole media may be refused for: something before it is not here yet, or two buckets want one name. */
const AWAITED = ['gap', 'made-apart', 'name-taken', 'no-such-bucket', 'mapped-before', 'not-theirs']

/** Refused where it cannot be foreseen, by what was merged before: the rest is left for the next try. */
const IN_THE_MIDDLE = ['name-taken', 'no-such-bucket']

export type Totals = Record<string, number>

/** A bundle as it was made. The medium stays as it is: what is carried are copies. */
type Shipment = {
  readonly from: TestSite
  readonly to: TestSite
  readonly folder: string
  readonly parity: number
  readonly receipts: string[]
}
type Begun = { readonly from: TestSite; readonly to: TestSite; readonly out: string; readonly options: Partial<ExportInput> }

class PowerCut extends Error {}

export class CarriedHistory {
  readonly #chance: Chance
  readonly #totals: Totals
  readonly #sites: readonly [TestSite, TestSite]
  readonly #shipments: Shipment[] = []
  readonly #begun: Begun[] = []
  /** Versions by the number in their metadata: whether somebody removed them. */
  readonly #versions = new Map<string, 'kept' | 'removed'>()
  #made = 0

  private constructor(seed: number, totals: Totals, sites: readonly [TestSite, TestSite]) {
    this.#chance = new Chance(seed)
    this.#totals = totals
    this.#sites = sites
  }

  static async live(seed: number, steps: number, totals: Totals): Promise<void> {
    const { a, b } = await twoSites()
    try {
      const history = new CarriedHistory(seed, totals, [a, b])
      for (let step = 0; step < steps; step++) await history.#step()
      await history.#settle()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    } finally {
      for (const site of [a, b]) await site.close()
    }
  }

  #count(what: string): void {
    this.#totals[what] = (this.#totals[what] ?? 0) + 1
  }

  #pair(): readonly [TestSite, TestSite] {
    const [a, b] = this.#sites
    return this.#chance.oneIn(2) ? [a, b] : [b, a]
  }

  async #step(): Promise<void> {
    const dice = this.#chance.below(100)
    if (dice < 60) return this.#change(this.#chance.pick(this.#sites))
    if (dice < 70) return this.#export()
    if (dice < 74) return this.#goOn()
    if (dice < 90) return this.#deliver()
    if (dice < 97) return this.#acknowledge()
    await this.#chance.pick(this.#sites).restarted(this.#chance.oneIn(2) ? { index: 'removed' } : {})
  }

  // What S3 clients do

  async #change(site: TestSite): Promise<void> {
    const chance = this.#chance
    const buckets = await site.store.listBuckets()
    if (buckets.length === 0 || chance.oneIn(20)) return this.#makeBucket(site)
    const bucket = chance.pick(buckets)
    if (chance.oneIn(25)) {
      value(await site.store.putVersioning(bucket.id, chance.pick(['enabled', 'suspended'])))
      return
    }
    if (chance.oneIn(25)) {
      value(
        await site.store.putConfiguration(bucket.id, chance.pick(['tagging', 'policy']), chance.oneIn(3) ? undefined : `"${++this.#made}"`),
      )
      return
    }
    if (chance.oneIn(15)) return this.#removeBucket(site, bucket)
    const key = chance.pick(KEYS)
    await this.#watched(site, bucket, key, () => this.#changeKey(site, bucket, key))
  }

  async #makeBucket(site: TestSite): Promise<void> {
    // A name belongs to one site: what is to become of two that were made apart, people say.
    const name = `${site.name}-${this.#chance.below(3)}`
    if ((await site.store.listBuckets()).some((bucket) => bucket.name === name)) return
    await site.make(name, this.#chance.pick(['unversioned', 'enabled', 'suspended']))
  }

  /** Now and then emptied first. */
  async #removeBucket(site: TestSite, bucket: Bucket): Promise<void> {
    if (this.#chance.oneIn(2))
      for (const { key, versionId } of await allVersions(site, bucket))
        await this.#watched(site, bucket, key, () => site.remove(bucket.name, key, versionId))
    const removed = await site.store.deleteBucket(bucket.id)
    if (removed.ok) this.#count('buckets removed')
    else expect(removed.error).toBe('not-empty')
  }

  /** What is gone afterwards was removed by somebody, and may be gone everywhere. */
  async #watched(site: TestSite, bucket: Bucket, key: string, change: () => Promise<unknown>): Promise<void> {
    const before = await numbersOf(site, bucket, key)
    await change()
    const after = await numbersOf(site, bucket, key)
    for (const number of before) if (!after.includes(number)) this.#versions.set(number, 'removed')
    for (const number of after) if (!this.#versions.has(number)) this.#versions.set(number, 'kept')
  }

  async #changeKey(site: TestSite, bucket: Bucket, key: string): Promise<unknown> {
    const chance = this.#chance
    const versions = (await allVersions(site, bucket)).filter((version) => version.key === key)
    const some = versions.length === 0 ? undefined : chance.pick(versions)
    switch (chance.below(10)) {
      case 0:
      case 1:
        return site.remove(bucket.name, key)
      case 2:
        return some && site.remove(bucket.name, key, some.versionId)
      case 3: {
        if (some?.kind !== 'object') return
        const tags: Tags = chance.oneIn(3) ? [] : [['by', `${site.name} ${++this.#made}`]]
        return value(await site.store.putTags({ bucketId: bucket.id, key, versionId: some.versionId, tags }))
      }
      case 4:
        return this.#upload(site, bucket, key)
      case 5:
        return this.#copy(site, bucket, key)
      default:
        return this.#put(site, bucket, key)
    }
  }

  #attributes(body: Uint8Array) {
    const number = String(++this.#made)
    const headers = this.#chance.oneIn(2) ? { contentType: 'text/x-test', cacheControl: 'no-store' } : {}
    const checksum = { algorithm: 'SHA256', type: 'FULL_OBJECT', value: createHash('sha256').update(body).digest('base64') } as const
    return {
      etag: createHash('md5').update(body).digest('hex'),
      ...{ headers, userMetadata: [['n', number]] as const, tags: this.#chance.oneIn(4) ? ([['t', number]] as const) : [] },
      ...(this.#chance.oneIn(2) ? { checksum } : {}),
    }
  }

  #body(): Uint8Array<ArrayBuffer> {
    const chance = this.#chance
    return chance.bytes(chance.pick([0, 1, 100, 4000, 20_000, chance.oneIn(4) ? 300_000 : 500, chance.oneIn(10) ? 1_500_000 : 5000]))
  }

  async #put(site: TestSite, bucket: Bucket, key: string): Promise<void> {
    const body = this.#body()
    const staged = await stagedIn(site, body)
    value(await site.store.putObject({ bucketId: bucket.id, key, attributes: this.#attributes(body), content: { kind: 'staged', staged } }))
  }

  async #copy(site: TestSite, bucket: Bucket, key: string): Promise<void> {
    const from = this.#chance.pick(await site.store.listBuckets())
    const of = await site.store.findVersion(from.id, this.#chance.pick(KEYS), undefined)
    if (of?.kind !== 'object') return
    const attributes = { ...this.#attributes(new Uint8Array(0)), etag: of.etag, ...(of.checksum && { checksum: of.checksum }) }
    value(await site.store.putObject({ bucketId: bucket.id, key, attributes, content: { kind: 'shared', of, from: 0, to: of.bytes } }))
  }

  async #upload(site: TestSite, bucket: Bucket, key: string): Promise<void> {
    const { userMetadata } = this.#attributes(new Uint8Array(0))
    const { uploadId } = value(await site.store.createUpload({ bucketId: bucket.id, key, headers: {}, userMetadata, tags: [] }))
    const parts = []
    for (let number = 1; number <= 1 + this.#chance.below(3); number++) {
      const body = this.#body()
      const etag = createHash('md5').update(body).digest('hex')
      const staged = await stagedIn(site, body)
      parts.push(
        value(
          await site.store.putPart({ bucketId: bucket.id, key, uploadId, number: number * 7, etag, content: { kind: 'staged', staged } }),
        ),
      )
    }
    if (this.#chance.oneIn(5)) return void value(await site.store.abortUpload(bucket.id, key, uploadId))
    value(await site.store.completeUpload({ bucketId: bucket.id, key, uploadId, parts, etag: `${'e'.repeat(32)}-${parts.length}` }))
  }

  // What operators do

  /** Ends in a power cut after some steps, or never. */
  #perhapsCut(): FederationProgress {
    if (!this.#chance.oneIn(3)) return noProgress
    let left = this.#chance.below(6)
    return () => {
      if (left-- <= 0) throw new PowerCut()
    }
  }

  async #export(): Promise<void> {
    const chance = this.#chance
    const [from, to] = this.#pair()
    const buckets = await from.store.listBuckets()
    const options: Partial<ExportInput> = {
      ...{ volumeBytes: chance.pick([64 * 1024, 100_001, 1024 * 1024]), parityVolumes: chance.pick([0, 1, 3]), full: chance.oneIn(6) },
      ...(chance.oneIn(4) && buckets.length > 0 ? { buckets: [chance.pick(buckets).name] } : {}),
      ...(chance.oneIn(4) ? { prefix: chance.pick(['dir/', 'a', 'ä', 'none']) } : {}),
    }
    await this.#exportInto({ from, to, out: newPath('bundle'), options })
  }

  async #exportInto(begun: Begun): Promise<void> {
    const { from, to, out, options } = begun
    try {
      const exported = await from.export(to, out, options, this.#perhapsCut())
      if (!exported.ok) {
        // What was promised in a volume that is finished already was deleted since.
        expect(['source-failed', 'no-such-bucket'], exported.error.sentence).toContain(exported.error.kind)
        this.#count(`export ${exported.error.kind}`)
      } else if (exported.value.bundle !== null) {
        this.#shipments.push({ from, to, folder: out, parity: options.parityVolumes ?? 0, receipts: [] })
        this.#count('exported')
      }
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.#begun.push(begun)
      this.#count('export cut')
      if (this.#chance.oneIn(2)) await from.restarted()
    }
  }

  async #goOn(): Promise<void> {
    if (this.#begun.length === 0) return
    const [begun] = this.#begun.splice(this.#chance.below(this.#begun.length), 1)
    await this.#exportInto(begun!)
  }

  async #deliver(): Promise<void> {
    const { from, to, ...shipment } = this.#shipments.length === 0 ? ({} as Shipment) : this.#chance.pick(this.#shipments)
    if (shipment.folder === undefined) return
    const others = this.#shipments.filter((one) => one.folder !== shipment.folder)
    const carriage = carried(this.#chance, shipment, others)
    const to2 = this.#chance.oneIn(12) ? from : to
    const whole = to2 === to && carriage.expected === 'whole'
    this.#count(to2 === to ? `carried ${carriage.how}` : 'carried to its sender')
    const receiptFile = newPath('receipt')
    if (whole && this.#chance.oneIn(6)) return this.#deliverBeside(to2, carriage, shipment.receipts)
    const before = await stateOf(to2)
    const dryRun = this.#chance.oneIn(8)
    let imported: Result<ImportReport, FederationFault>
    try {
      imported = await this.#import(to2, carriage, { receiptFile, dryRun }, this.#perhapsCut())
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.#count('import cut')
      if (dryRun || !whole) expect(await stateOf(to2)).toEqual(before)
      if (this.#chance.oneIn(2)) await to2.restarted()
      return
    }
    if (imported.ok) {
      expect(to2, 'a bundle is not for its sender').toBe(to)
      // A bundle that was applied before is not read again.
      const isKnown = imported.value.firstAppliedMs !== null
      if (carriage.expected === 'refused') expect(isKnown, carriage.how).toBe(true)
      if (dryRun || isKnown) expect(await stateOf(to2)).toEqual(before)
      if (!dryRun) shipment.receipts.push(readFileSync(receiptFile, 'utf8'))
      this.#count('imported')
      return
    }
    if (whole) expect(AWAITED, imported.error.sentence).toContain(imported.error.kind)
    this.#count(`refused ${imported.error.kind}`)
    if (!IN_THE_MIDDLE.includes(imported.error.kind)) expect(await stateOf(to2), imported.error.sentence).toEqual(before)
  }

  #import(site: TestSite, { folders }: Carriage, more: { receiptFile: string; dryRun?: boolean }, progress = noProgress) {
    return site.import(folders[0]!, { dirs: folders, ...more }, progress)
  }

  /** While S3 clients write, and twice at once. */
  async #deliverBeside(to: TestSite, carriage: Carriage, receipts: string[]): Promise<void> {
    const files = [newPath('receipt'), newPath('receipt')]
    const changes = async (): Promise<void> => {
      for (let change = 0; change < 5; change++) await this.#quietChange(to)
    }
    const [imports] = await Promise.all([Promise.all(files.map((receiptFile) => this.#import(to, carriage, { receiptFile }))), changes()])
    this.#count('carried beside')
    for (const [at, imported] of imports.entries()) {
      if (imported.ok) receipts.push(readFileSync(files[at]!, 'utf8'))
      else expect([...AWAITED, 'conflict'], imported.error.sentence).toContain(imported.error.kind)
    }
  }

  /** A new object while an import goes on: it removes only what no other knows of. */
  async #quietChange(site: TestSite): Promise<void> {
    const bucket = (await site.store.listBuckets()).find((one) => one.versioning === 'enabled')
    if (bucket === undefined) return
    const body = this.#body()
    const attributes = this.#attributes(body)
    const put = await site.store.putObject({
      ...{ bucketId: bucket.id, key: `beside/${attributes.userMetadata[0][1]}`, attributes },
      content: { kind: 'staged', staged: await stagedIn(site, body) },
    })
    // Its bucket may be deleted by the very import.
    if (put.ok && put.value.versionId !== 'null') this.#versions.set(attributes.userMetadata[0][1], 'kept')
  }

  async #acknowledge(): Promise<void> {
    const { from, to, receipts = [] } = this.#shipments.length === 0 ? ({} as Shipment) : this.#chance.pick(this.#shipments)
    if (receipts.length === 0) return
    const receipt = this.#chance.pick(receipts)
    if (!this.#chance.oneIn(4)) {
      value(await from.acknowledge(receipt))
      this.#count('acknowledged')
      return
    }
    const [at, text] = this.#chance.oneIn(2) ? [to, receipt] : [from, withOtherLetter(this.#chance, receipt)]
    if (at === from && text === receipt) return
    const before = await stateOf(at)
    const refused = await at.acknowledge(text)
    expect(refused.ok, 'a receipt that is another one').toBe(false)
    expect(await stateOf(at)).toEqual(before)
    this.#count('receipt refused')
  }

  // The end

  /** Everything is carried both ways and acknowledged, until neither has anything to say. */
  async #settle(): Promise<void> {
    const [a, b] = this.#sites
    for (let round = 0; ; round++) {
      const said = [await this.#carryAll(a, b), await this.#carryAll(b, a)]
      if (said.every((one) => one === 'nothing')) break
      expect(round, 'rounds until nothing is left to say').toBeLessThan(5)
    }
    const [here, there] = [await contentsOf(a), await contentsOf(b)]
    expect(there).toEqual(here)
    const held = new Set(here.flatMap(({ numbers }) => numbers))
    const lost = [...this.#versions].filter(([number, fate]) => fate === 'kept' && !held.has(number)).map(([number]) => number)
    expect(lost, 'versions that nobody removed and nobody has').toEqual([])
    const risen = [...this.#versions].filter(([number, fate]) => fate === 'removed' && held.has(number)).map(([number]) => number)
    expect(risen, 'versions that somebody removed and that are there').toEqual([])
    this.#totals['versions kept'] = (this.#totals['versions kept'] ?? 0) + held.size
  }

  async #carryAll(from: TestSite, to: TestSite): Promise<'nothing' | 'something'> {
    const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
    const exported = value(await from.export(to, out))
    if (exported.bundle === null) return 'nothing'
    let imported = await to.import(out, { receiptFile })
    // Who does as he is told gets on.
    for (let tries = 0; !imported.ok && tries < 5; tries++) {
      const [, name] = /--map (\S+)=/.exec(imported.error.sentence) ?? []
      if (name === undefined) break
      this.#count('mapped')
      imported = await to.import(out, { receiptFile, map: { [name]: `${name}-${++this.#made}` } })
    }
    value(imported)
    value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
    return 'something'
  }
}

async function stagedIn(site: TestSite, body: Uint8Array<ArrayBuffer>) {
  const writer = site.store.stage(body.length)
  await writer.write(body)
  return value(await writer.finish())
}

async function allVersions(site: TestSite, bucket: Bucket) {
  const found = []
  for (let after = '', afterVersionId = ''; ; ) {
    const page = await site.store.listVersions({
      ...{ bucketId: bucket.id, prefix: '', delimiter: '', after, max: 1000 },
      ...(afterVersionId === '' ? {} : { afterVersionId }),
    })
    found.push(...page.entries)
    if (!page.truncated) return found
    after = page.last
    afterVersionId = page.lastVersionId
  }
}

/** What the metadata of the versions of a key, or of all, say. */
async function numbersOf(site: TestSite, bucket: Bucket, key?: string): Promise<string[]> {
  const numbers: string[] = []
  for (const listed of await allVersions(site, bucket)) {
    if (listed.kind !== 'object' || (key !== undefined && listed.key !== key)) continue
    const version = (await site.store.findVersion(bucket.id, listed.key, listed.versionId)) as ObjectVersion
    numbers.push(version.userMetadata[0]![1])
  }
  return numbers
}

/** Of every bucket, by the site that made it: the digest of all that it holds, every byte read. */
async function contentsOf(site: TestSite) {
  const contents = []
  for (const bucket of await site.store.listBuckets()) {
    const { digest } = value(await digestBucket(site.federation, { bucket: bucket.name, content: true }, noProgress))
    const shown = (await allVersions(site, bucket)).map(({ key, versionId, kind, isLatest }) => `${key} ${versionId} ${kind} ${isLatest}`)
    contents.push({ bucket: positionText(bucket.origin), digest, shown, numbers: await numbersOf(site, bucket) })
  }
  return contents.sort((one, other) => (one.bucket < other.bucket ? -1 : 1))
}

/** A receipt with one letter of its base64 exchanged. */
function withOtherLetter(chance: Chance, receipt: string): string {
  const begin = receipt.indexOf('-----\n') + 6
  const end = receipt.lastIndexOf('-----END') - 8
  const at = begin + chance.below(end - begin)
  if (receipt[at] === '\n') return receipt
  return `${receipt.slice(0, at)}${receipt[at] === 'A' ? 'B' : 'A'}${receipt.slice(at + 1)}`
}
