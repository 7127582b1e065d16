/**
 * Reads a bundle through without any decryption key: who signed it, and every volume that is missing or damaged, with places, and whether parity can make up
 * for it. Memory: one row, 48 bytes per row of the volume in hand, two per row of the longest volume, and the damaged places.
 */
import { createHash } from 'node:crypto'
import { type BundleHead, loadHead } from './bundle-head.ts'
import { type BundleFaultKind, exitCode, Stop } from './fault.ts'
import { CHECKSUMS_NAME, ROW_BYTES, trailerName } from './format.ts'
import { type LocatedVolume, locateVolume, trailerBytesMax } from './located-volume.ts'
import type { Trust } from './signature.ts'
import { checkUnsigned, type KnownSums, sumsOf } from './unsigned-files.ts'

export type VolumeDamage = {
  readonly name: string
  /** 'trailer', 'unsigned': only a trailer, or a file that nobody signed: README.txt, SHA512SUMS. Content is not affected. */
  readonly kind: 'missing' | 'truncated' | 'changed' | 'trailer' | 'unsigned'
  /** Bytes of the file that are not as signed, `to` exclusive; whole rows of 1 MiB. Empty where no volume is damaged. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[]
  readonly repairable: boolean
  readonly sentence: string
}

/** What preamble and manifest say in clear. */
export type BundleFacts = {
  readonly bundleId: string
  readonly manifestDigest: string
  readonly sender: { readonly site: string; readonly fingerprint: string; readonly known: boolean; readonly epoch: number }
  /** Distinct trusted signers of the manifest. */
  readonly signers: readonly string[]
  readonly createdMs: number
  readonly expiresMs?: number
  readonly expired?: boolean
  readonly marking?: string
  readonly volumes: number
  readonly parityVolumes: number
  /** Of all volumes and parity volumes. */
  readonly bytes: number
}

/** Without facts if the bundle was refused. */
export type VerifyReport = Partial<BundleFacts> & {
  readonly verdict: 'intact' | 'repairable' | 'damaged' | 'refused'
  /** 0 intact and trusted, 3 damaged but repairable, 4 signer not trusted, 5 refused or damaged beyond repair, 6 incomplete: volumes are missing. */
  readonly exit: 0 | 3 | 4 | 5 | 6
  /** If it was refused. */
  readonly fault?: BundleFaultKind
  readonly damage: readonly VolumeDamage[]
  /** For people: the verdict first. */
  readonly sentences: readonly string[]
}

export type VerifyOptions = {
  readonly nowMs: number
  readonly progress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void
  readonly signal?: AbortSignal
}

/** Reads every byte of the bundle in these folders and changes nothing. Never fails: what is wrong with it is what it answers. */
export async function verifyBundle(dirs: readonly string[], trust: Trust, options: VerifyOptions): Promise<VerifyReport> {
  try {
    const head = await loadHead(dirs, trust, 'named')
    const damage = await findDamage(head, options)
    const facts = summary(head, options.nowMs)
    const { sentences, ...found } = verdict(head, damage)
    return { ...facts, ...found, sentences: facts.expired === true ? [...sentences, expiredSentence(facts)] : sentences, damage }
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    const { kind, sentence } = error.fault
    return { verdict: 'refused', exit: exitCode(kind), fault: kind, damage: [], sentences: [sentence] }
  }
}

const expiredSentence = ({ expiresMs = 0 }: BundleFacts): string =>
  `It expired at ${new Date(expiresMs).toISOString()} and cannot be imported any more: ask for a new one.`

export function summary(head: BundleHead, nowMs: number): BundleFacts {
  const { preamble, manifest, sender, senderKnown, signers, groups } = head
  const records = manifest.groups.flatMap((group) => [...group.volumes, ...group.parity])
  const { expiresMs, marking } = preamble
  return {
    bundleId: preamble.bundleId,
    manifestDigest: manifest.digest,
    sender: { site: sender.siteId, fingerprint: sender.fingerprint, known: senderKnown, epoch: preamble.sender.epoch },
    signers: signers.trusted,
    createdMs: preamble.createdMs,
    ...(expiresMs === undefined ? {} : { expiresMs, expired: expiresMs < nowMs }),
    ...(marking === undefined ? {} : { marking }),
    volumes: groups.reduce((sum, { data }) => sum + data.length, 0),
    parityVolumes: groups.reduce((sum, { parity }) => sum + parity.length, 0),
    bytes: records.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** Rows by number, from the first to before the second; ascending and apart. A volume may lack hundreds of thousands. */
type Rows = readonly (readonly [from: number, to: number])[]
type Scan = {
  readonly volume: LocatedVolume
  /** Rows that are not as signed. */
  readonly bad: Rows
  readonly holds: string | undefined
  /** Of the whole volume, if it is whole and there is a list to compare it with. */
  readonly sha512: string | undefined
}

async function findDamage(head: BundleHead, options: VerifyOptions): Promise<VolumeDamage[]> {
  const damage: VolumeDamage[] = []
  const totalBytes = head.manifest.groups.flatMap((group) => [...group.volumes, ...group.parity]).reduce((sum, { bytes }) => sum + bytes, 0)
  let doneBytes = 0
  const known: KnownSums = new Map()
  for (const { data, parity } of head.groups) {
    const scans: Scan[] = []
    for (const named of [...data, ...parity]) {
      if (options.signal?.aborted === true) throw new Stop('aborted', 'The check was stopped.')
      const before = doneBytes
      const read = (bytes: number): void => options.progress?.({ doneBytes: before + bytes, totalBytes })
      const scan = await scanVolume(head, await locateVolume(head, named), { ...options, read })
      await noteSums(head, scan, known)
      scans.push(scan)
      doneBytes += named.record.bytes
      options.progress?.({ doneBytes, totalBytes })
    }
    const lost = rowsBeyond(scans, parity.length)
    for (const scan of scans) damage.push(...describe(scan, lost))
  }
  for (const unsigned of await checkUnsigned(head, known)) damage.push({ ...unsigned, kind: 'unsigned', ranges: [], repairable: true })
  return damage
}

/** The rows that more volumes of a group lack than there is parity. */
function rowsBeyond(scans: readonly Scan[], parity: number): Rows {
  const changes = new Int16Array(1 + Math.max(...scans.map(({ volume }) => volume.rows)))
  for (const { bad } of scans)
    for (const [from, to] of bad) {
      changes[from]! += 1
      changes[to]! -= 1
    }
  const lost: [number, number][] = []
  let count = 0
  for (const [row, change] of changes.entries()) {
    count += change
    if (count > parity) add(lost, row)
  }
  return lost
}

function add(rows: [number, number][], row: number): void {
  const last = rows.at(-1)
  if (last?.[1] === row) last[1] = row + 1
  else rows.push([row, row + 1])
}

function meet(one: Rows, other: Rows): boolean {
  let at = 0
  return one.some(([from, to]) => {
    while (at < other.length && other[at]![1] <= from) at++
    return at < other.length && other[at]![0] < to
  })
}

/** What SHA512SUMS has to say of a volume that is as it was signed, and of its trailer. */
async function noteSums(head: BundleHead, { volume, sha512 }: Scan, known: KnownSums): Promise<void> {
  if (sha512 !== undefined) known.set(volume.name, new Set([sha512]))
  const trailer = trailerName(volume.name)
  if (volume.trailer === 'good') known.set(trailer, await sumsOf(head.files.byName.get(trailer) ?? [], trailerBytesMax(volume.record)))
}

/** A volume may have gigabytes: progress within it is told every so many rows. */
const ROWS_PER_STEP = 32

type ScanOptions = VerifyOptions & { readonly read: (bytes: number) => void }

async function scanVolume(head: BundleHead, volume: LocatedVolume, options: ScanOptions): Promise<Scan> {
  if (volume.copies.length === 0) return { volume, bad: [[0, volume.rows]], holds: undefined, sha512: undefined }
  const bad: [number, number][] = []
  const sum = head.files.byName.has(CHECKSUMS_NAME) ? createHash('sha512') : undefined
  try {
    for (let row = 0; row < volume.rows; row++) {
      if (options.signal?.aborted === true) throw new Stop('aborted', 'The check was stopped.')
      const content = await volume.row(row)
      if (content === undefined) add(bad, row)
      else if (bad.length === 0) sum?.update(content)
      if (row % ROWS_PER_STEP === ROWS_PER_STEP - 1) options.read(Math.min((row + 1) * ROW_BYTES, volume.record.bytes))
    }
    const holds = isWhole(volume, bad) ? await otherVolume(head, volume) : undefined
    return { volume, bad, holds, sha512: bad.length === 0 ? sum?.digest('hex') : undefined }
  } finally {
    await volume.close()
  }
}

const isWhole = ({ rows }: LocatedVolume, bad: Rows): boolean => bad[0]?.[0] === 0 && bad[0][1] === rows

/** The name of the volume whose bytes lie under the name of this one, if they are those of another one. */
async function otherVolume(head: BundleHead, volume: LocatedVolume): Promise<string | undefined> {
  const root = await volume.rootFound()
  const all = head.groups.flatMap(({ data, parity }) => [...data, ...parity])
  return all.find(({ name, record }) => name !== volume.name && record.root === root)?.name
}

function describe({ volume, bad, holds }: Scan, lost: Rows): VolumeDamage[] {
  const { name, record, copies, trailer } = volume
  const [first] = bad
  if (first === undefined) {
    if (trailer === 'good') return []
    const sentence = `The trailer of ${name} is ${trailer}; the volume itself is whole, and can be used.`
    return [{ name, kind: 'trailer', ranges: [], repairable: true, sentence }]
  }
  const ranges = bad.map(([from, to]) => ({ from: from * ROW_BYTES, to: Math.min(to * ROW_BYTES, record.bytes) }))
  const repairable = !meet(bad, lost)
  const suffix = repairable ? 'It can be repaired from parity.' : 'It cannot be repaired: ask for it again.'
  const longest = Math.max(0, ...copies.map((copy) => copy.bytes))
  if (copies.length === 0) return [{ name, kind: 'missing', ranges, repairable, sentence: `${name} is missing. ${suffix}` }]
  if (longest < record.bytes && first[0] === Math.floor(longest / ROW_BYTES) && first[1] === volume.rows) {
    const sentence = `${name} is cut short: it has ${longest} of its ${record.bytes} bytes. ${suffix}`
    return [{ name, kind: 'truncated', ranges, repairable, sentence }]
  }
  const shownRanges = ranges.slice(0, 8).map(({ from, to }) => `${from}–${to - 1}`)
  if (ranges.length > 8) shownRanges.push(`and ${ranges.length - 8} more`)
  const what =
    holds !== undefined
      ? `holds the bytes of ${holds}: files were swapped.`
      : isWhole(volume, bad) && trailer !== 'good'
        ? 'is damaged, and so is its trailer, which would say where; it may belong to another bundle.'
        : isWhole(volume, bad) && volume.rows > 1
          ? 'is damaged from its first row to its last: it may belong to another bundle.'
          : `is damaged within bytes ${shownRanges.join(', ')}.`
  return [{ name, kind: 'changed', ranges, repairable, sentence: `${name} ${what} ${suffix}` }]
}

function verdict(head: BundleHead, damage: readonly VolumeDamage[]): Pick<VerifyReport, 'verdict' | 'exit' | 'sentences'> {
  const { sender, senderKnown } = head
  const signer = senderKnown
    ? `signed by site ${sender.siteId}, which is known here`
    : `signed by an unknown site, fingerprint ${sender.fingerprint}`
  const details = damage.map(({ sentence }) => sentence)
  const exitFor = (exit: 0 | 3): 0 | 3 | 4 => (senderKnown ? exit : 4)
  if (damage.length === 0) return { verdict: 'intact', exit: exitFor(0), sentences: [`The bundle is intact, ${signer}.`] }
  if (damage.every(({ kind }) => kind === 'unsigned'))
    return {
      verdict: 'repairable',
      exit: exitFor(3),
      sentences: [`The content of the bundle is intact, ${signer}. What lies beside it is not:`, ...details],
    }
  if (damage.every(({ repairable }) => repairable))
    return {
      verdict: 'repairable',
      exit: exitFor(3),
      sentences: [`The bundle is damaged but can be repaired in full, ${signer}.`, ...details],
    }
  const exit = senderKnown ? (damage.some(({ kind, repairable }) => kind === 'missing' && !repairable) ? 6 : 5) : 4
  return { verdict: 'damaged', exit, sentences: [`The bundle is damaged beyond what its parity can repair, ${signer}.`, ...details] }
}
