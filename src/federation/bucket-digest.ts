/**
 * One number that is the same at two sites exactly when they hold the same of a bucket; and, from the file that the other one wrote, the names of the keys that differ.
 * Memory: a page of a listing, and the first differences.
 */
import { TreeRoot } from '../bundles/merkle.ts'
import type { Result } from '../result.ts'
import type { Frontier, Origin } from '../store/operation.ts'
import { count, NO_RANGES, subtract } from '../store/ranges.ts'
import type { Bucket, BucketName } from '../store/terms.ts'
import { holdsIn, leavesOf } from './bucket-state.ts'
import { DigestFile, type DigestHeader, DigestWriter, fileChunks, headerLine, type KeyLeaf, leafLine } from './digest-file.ts'
import { printable } from './html.ts'
import { type FederationFault, type FederationProgress, type FederationSite, Refusal, refusable } from './site.ts'
import { counted, parsePosition, positionText } from './words.ts'

export type DigestInput = { readonly bucket: string; readonly out?: string; readonly content: boolean }
export type DigestReport = {
  readonly sentence: string
  readonly bucket: string
  /** 96 hexadecimal digits. */
  readonly digest: string
  readonly keys: number
  readonly versions: number
  readonly content: boolean
  /** Whether nothing was written to the bucket meanwhile: else it is the digest of no moment. */
  readonly settled: boolean
  readonly file: string | null
}

const STEPS_TOLD = 1000

/** One number for all that a bucket holds, and with `out` a file to compare another site's by. Faults: no-such-bucket, file-unusable. */
export function digestBucket(
  site: FederationSite,
  input: DigestInput,
  progress: FederationProgress,
): Promise<Result<DigestReport, FederationFault>> {
  return refusable(async () => {
    const bucket = await bucketNamed(site, input.bucket)
    const writer = input.out === undefined ? undefined : new DigestWriter(input.out)
    try {
      const walk = new Walk(site, bucket, input.content)
      const header = await walk.begin()
      await writer?.write(headerLine(header))
      for await (const leaf of walk.leaves(progress)) await writer?.write(leafLine(leaf))
      const { keys, versions } = walk
      await writer?.finish(walk)
      const settled = await walk.isSettled()
      const told = `${inGroups(walk.digest)}\nBucket ${bucket.name}: ${counted(keys, 'key')}, ${counted(versions, 'version')}${input.content ? ', every byte read' : ''}.`
      const file =
        writer === undefined ? [] : [`Take ${input.out} to the other site: holdfast bucket compare SITE BUCKET FILE. It names all keys.`]
      return {
        sentence: [told, ...file, ...(settled ? [] : [UNSETTLED])].join('\n'),
        ...{ bucket: bucket.name, digest: walk.digest, keys, versions, content: input.content, settled, file: input.out ?? null },
      }
    } catch (error) {
      await writer?.abandon()
      throw error
    }
  })
}

const UNSETTLED = 'The bucket was written to meanwhile: this is the digest of no moment. Run it again when nothing is.'

/** For people who compare it by eye or by telephone. */
const inGroups = (digest: string): string => digest.match(/.{1,8}/g)!.join(' ')

async function bucketNamed(site: FederationSite, name: string): Promise<Bucket> {
  const bucket = await site.store.findBucket(name as BucketName)
  if (bucket === undefined) throw new Refusal(5, 'no-such-bucket', `There is no bucket ${name} here.`)
  return bucket
}

/** One reading of a bucket. */
class Walk {
  readonly #site: FederationSite
  readonly #bucket: Bucket
  readonly #content: boolean
  readonly #tree = new TreeRoot()
  #holds: Frontier = {}
  versions = 0

  constructor(site: FederationSite, bucket: Bucket, content: boolean) {
    this.#site = site
    this.#bucket = bucket
    this.#content = content
  }

  async begin(): Promise<DigestHeader> {
    const { store, clock } = this.#site
    this.#holds = await holdsIn(store, this.#bucket)
    const { name, origin } = this.#bucket
    const header = { bucket: positionText(origin), name, site: store.federation.siteId, madeMs: clock.nowMs() }
    return { ...header, content: this.#content, holds: this.#holds }
  }

  async *leaves(progress: FederationProgress): AsyncGenerator<KeyLeaf> {
    let told = 0
    for await (const leaf of leavesOf(this.#site.store, this.#bucket, this.#content)) {
      this.#tree.add(leaf.leaf)
      this.versions += leaf.versions
      if (told++ % STEPS_TOLD === 0) progress({ what: 'Reading', done: told, total: 0, unit: 'items' })
      yield leaf
    }
  }

  get keys(): number {
    return this.#tree.count - 1
  }

  get digest(): string {
    return this.#tree.root().toString('hex')
  }

  get holds(): Frontier {
    return this.#holds
  }

  async isSettled(): Promise<boolean> {
    return JSON.stringify(await holdsIn(this.#site.store, this.#bucket)) === JSON.stringify(this.#holds)
  }
}

export type CompareInput = { readonly bucket: string; readonly file: string }
export type Difference = {
  /** Empty: the bucket itself, its versioning or configuration. */
  readonly key: string
  readonly how: 'only-here' | 'only-there' | 'differs'
}
export type CompareReport = {
  readonly sentence: string
  readonly bucket: string
  readonly same: boolean
  readonly digest: string
  readonly digestThere: string
  readonly differences: number
  /** The first of them, at most LISTED_MAX. */
  readonly listed: readonly Difference[]
  /** Changes that only one of both has applied; null where the file does not say. */
  readonly unknownThere: number | null
  readonly unknownHere: number | null
  readonly settled: boolean
}

const LISTED_MAX = 1000
const SHOWN_MAX = 50

/** Names the keys in which a bucket differs from the digest file of another site. Where they differ, that is a fault that carries the report. Other faults: no-such-bucket, malformed (the file), file-unusable. */
export function compareBucket(
  site: FederationSite,
  input: CompareInput,
  progress: FederationProgress,
): Promise<Result<CompareReport, FederationFault>> {
  return refusable(async () => {
    const bucket = await bucketNamed(site, input.bucket)
    const file = await DigestFile.open(fileChunks(input.file))
    const walk = new Walk(site, bucket, file.header.content)
    await walk.begin()
    const listed: Difference[] = []
    let differences = 0
    for await (const difference of differencesOf(walk.leaves(progress), file.leaves())) {
      differences += 1
      if (listed.length < LISTED_MAX) listed.push(difference)
    }
    const there = file.header.holds
    const report = {
      ...{ bucket: bucket.name, same: differences === 0, digest: walk.digest, digestThere: file.digest, differences, listed },
      unknownThere: there === null ? null : lacking(walk.holds, there),
      unknownHere: there === null ? null : lacking(there, walk.holds),
      settled: await walk.isSettled(),
    }
    const theirs = await site.store.federation.findBucketByOrigin(parsePosition(file.header.bucket)!)
    const sentence = sentenceOf(report, file.header, theirs?.id === bucket.id)
    if (!report.same) throw new Refusal(6, 'differs', sentence, report)
    return { sentence, ...report }
  })
}

/** Both ascend by the bytes of their keys. */
async function* differencesOf(here: AsyncGenerator<KeyLeaf>, there: AsyncGenerator<KeyLeaf>): AsyncGenerator<Difference> {
  try {
    let [one, other] = [await here.next(), await there.next()]
    while (one.done !== true || other.done !== true) {
      const order =
        one.done === true ? 1 : other.done === true ? -1 : Buffer.compare(Buffer.from(one.value.key), Buffer.from(other.value.key))
      if (order < 0) yield { key: one.value!.key, how: 'only-here' }
      else if (order > 0) yield { key: other.value!.key, how: 'only-there' }
      else if (!one.value!.leaf.equals(other.value!.leaf)) yield { key: one.value!.key, how: 'differs' }
      if (order <= 0) one = await here.next()
      if (order >= 0) other = await there.next()
    }
  } finally {
    await here.return(undefined)
    await there.return(undefined)
  }
}

/** How many operations `a` has that `b` lacks. */
const lacking = (a: Frontier, b: Frontier): number =>
  (Object.keys(a) as Origin[]).reduce((sum, origin) => sum + count(subtract(a[origin]!, b[origin] ?? NO_RANGES)), 0)

function sentenceOf(report: Omit<CompareReport, 'sentence'>, { name, site, madeMs }: DigestHeader, isKnown: boolean): string {
  const { bucket, same, digest, differences, listed, unknownThere, unknownHere, settled } = report
  const whose = `site ${site} at ${new Date(madeMs).toISOString()}`
  if (same) return [`Bucket ${bucket} holds the same here as at ${whose}.`, inGroups(digest)].join('\n')
  const words = { 'only-here': 'only here:   ', 'only-there': 'only there:  ', differs: 'differs:     ' } as const
  const lines = listed
    .slice(0, SHOWN_MAX)
    .map(({ key, how }) => `  ${words[how]}${key === '' ? 'versioning or configuration of the bucket' : printable(key)}`)
  const more =
    differences > lines.length
      ? [`  and ${differences - lines.length} more${differences > listed.length ? '' : ' (--json names them)'}`]
      : []
  const other = isKnown ? [] : [`The file is of a bucket ${name} that is not known here to be the same one.`]
  const because =
    unknownThere === null || unknownHere === null
      ? []
      : unknownThere + unknownHere === 0
        ? [
            'Both have applied the same changes, and should hold the same: keep the file and this answer, and see "holdfast status" at both.',
          ]
        : [
            `Changes that were applied here only: ${unknownThere}; there only: ${unknownHere}. Exchange bundles both ways, then compare again.`,
          ]
  return [
    `Bucket ${bucket} differs from that of ${whose} in ${counted(differences, 'key')}:`,
    ...lines,
    ...more,
    ...other,
    ...because,
    ...(settled ? [] : [UNSETTLED]),
  ].join('\n')
}
