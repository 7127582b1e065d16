/**
 * Writes a bundle into a folder. Nothing is on the medium that the state does not know before: the key is drawn and saved first, then preamble, data volumes,
 * parity, and last the manifest. It may be stopped anywhere and called again with the state saved last. Memory: a few rows (1 MiB each); with parity one row
 * of each volume of a group besides, at most GROUP_VOLUMES_DEFAULT + parityVolumes.
 */
import { strict as assert } from 'node:assert'
import { hash } from 'node:crypto'
import type { Random } from '../environment.ts'
import { fail, type Result } from '../result.ts'
import { ArchiveWriter } from './archive-writer.ts'
import type { BundleState, FileState, Place } from './bundle-state.ts'
import { documentBytesMax, parseDocument } from './document.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import * as format from './format.ts'
import type { PrivateIdentity, PublicIdentity } from './identity.ts'
import type { Json } from './json.ts'
import { namedGroups, readLeaves, rowCount, writeManifest, writeTrailer } from './manifest.ts'
import { type OutputFolder, outputFolder } from './media.ts'
import { writeParity } from './parity.ts'
import { BUNDLE_KEY_BYTES, type ReceiptKey, readPreamble, writePreamble } from './preamble.ts'
import { readmeText } from './readme.ts'
import type { Whole } from './tar.ts'
import { plainCapacity, VolumeSealer } from './volume.ts'
import { VolumeWriter, type WrittenVolume } from './volume-writer.ts'

/** What goes into a bundle, in order. Another attempt must find the same. */
export type BundleEntry =
  /** JSON Lines, at most OPERATIONS_BYTES_MAX bytes. */
  | { readonly kind: 'operations'; readonly lines: Uint8Array }
  /** `digest`: the content digest, 96 hexadecimal digits. `read` begins at the first byte, and may be called anew for each attempt; a throw ends the attempt. */
  | { readonly kind: 'content'; readonly digest: string; readonly bytes: number; read(): AsyncIterable<Uint8Array> }

export type BundleProgress = { readonly phase: 'sealing' | 'parity'; readonly doneBytes: number; readonly volumes: number }

export type WriteBundleInput = {
  /** The folder; made if it is not there, empty unless `state` is given. */
  readonly out: string | OutputFolder
  readonly state?: BundleState
  /** Must be durable when it resolves. */
  saveState(state: BundleState): Promise<void>
  readonly random: Random
  readonly nowMs: number
  readonly signer: PrivateIdentity
  /** The signer's epoch. */
  readonly epoch: number
  readonly recipients: readonly PublicIdentity[]
  /** What it needs and brings. `sealed` only recipients read; `needs` stands in clear and must name no bucket, key, count or label. */
  readonly statement: { readonly sealed: Json; readonly needs: Json }
  readonly expiresMs?: number
  /** Shown in clear. */
  readonly marking?: string
  readonly volumeBytes: number
  /** Per group. */
  readonly parityVolumes: number
  readonly groupVolumes?: number
  /** From entry number `fromEntry` (from 0) on. */
  entries(fromEntry: number): AsyncIterable<BundleEntry>
  readonly progress?: (progress: BundleProgress) => void
  readonly signal?: AbortSignal
}

export type BundleSummary = {
  readonly bundleId: string
  readonly manifestDigest: string
  readonly volumes: number
  readonly parityVolumes: number
  /** Of all volumes together. */
  readonly bytes: number
  readonly receiptKeys: readonly ReceiptKey[]
}

export async function writeBundle(input: WriteBundleInput): Promise<Result<BundleSummary, BundleFault>> {
  const fault = inputFault(input)
  if (fault !== undefined) return fail({ kind: 'invalid-input', sentence: fault })
  return stopped(async () => {
    const bundle = await BundleWriter.begin(input)
    await bundle.writeVolumes()
    await bundle.writeParity()
    return bundle.close()
  })
}

function inputFault(input: WriteBundleInput): string | undefined {
  const { volumeBytes, parityVolumes, groupVolumes = format.GROUP_VOLUMES_DEFAULT } = input
  const whole = (value: number, min: number, max: number): boolean => Number.isSafeInteger(value) && value >= min && value <= max
  if (!whole(volumeBytes, format.VOLUME_BYTES_MIN, format.VOLUME_BYTES_MAX)) return 'A volume has between 64 KiB and 256 GiB.'
  if (!whole(parityVolumes, 0, format.GROUP_PARITY_MAX)) return `There are 0 to ${format.GROUP_PARITY_MAX} parity volumes.`
  if (!whole(groupVolumes, 1, format.GROUP_VOLUMES_MAX)) return `A group has 1 to ${format.GROUP_VOLUMES_MAX} volumes.`
  if (Buffer.byteLength(JSON.stringify(input.statement.sealed)) > format.STATEMENT_BYTES_MAX)
    return 'The statement of this bundle is too long.'
  return undefined
}

class BundleWriter {
  readonly #input: WriteBundleInput
  readonly #out: OutputFolder
  readonly #bundleKey: Buffer
  #state: BundleState
  #doneBytes = 0

  private constructor(input: WriteBundleInput, out: OutputFolder, state: BundleState) {
    this.#input = input
    this.#out = out
    this.#state = state
    this.#bundleKey = Buffer.from(state.bundleKey, 'base64')
  }

  static async begin(input: WriteBundleInput): Promise<BundleWriter> {
    const out = typeof input.out === 'string' ? outputFolder(input.out) : input.out
    await out.prepare()
    const names = await out.names()
    const strange = names.find((name) => input.state === undefined || !isBundleName(name))
    if (strange !== undefined)
      throw new Stop(
        'out-not-empty',
        `${out.path} already holds ${JSON.stringify(strange)}: a bundle is written into an empty folder of its own.`,
      )
    const bundle = new BundleWriter(input, out, input.state === undefined ? newState(input) : await resumedState(input, input.state, out))
    await bundle.#save(bundle.#state)
    const preamble = Buffer.from(bundle.#state.preamble, 'base64')
    await out.writeFile(format.README_NAME, Buffer.from(readmeText(input.marking)))
    await out.writeFile(format.PREAMBLE_NAME, preamble)
    return bundle
  }

  async #save(state: BundleState): Promise<void> {
    try {
      await this.#input.saveState(state)
    } catch (error) {
      throw new Stop('medium-failed', `The state of the export cannot be saved: ${error instanceof Error ? error.message : String(error)}`)
    }
    this.#state = state
  }

  #check(phase: BundleProgress['phase'], bytes: number): void {
    this.#doneBytes += bytes
    if (this.#input.signal?.aborted === true) throw new Stop('aborted', 'The export was stopped. Run it again to go on.')
    this.#input.progress?.({ phase, doneBytes: this.#doneBytes, volumes: this.#state.volumes.length })
  }

  async writeVolumes(): Promise<void> {
    const from: Place | null = this.#state.volumes.length === 0 ? { entry: 0, offset: 0 } : this.#state.volumes.at(-1)!.next
    if (from === null) return
    const archive = new ArchiveWriter({
      capacity: plainCapacity(this.#state.volumeBytes),
      begin: () => this.#beginVolume(),
      end: (volume, next) => this.#endVolume(volume, next),
      check: (bytes) => this.#check('sealing', bytes),
    })
    try {
      let place = from
      if (place.entry === 0) {
        const statement = Buffer.from(JSON.stringify(this.#input.statement.sealed))
        await archive.add(place, { kind: 'statement' }, statement.length, once(statement))
        place = { entry: 1, offset: 0 }
      }
      for await (const entry of guarded(this.#input.entries(place.entry - 1))) {
        const { whole, bytes, content } = laidOut(entry, place.entry)
        await archive.add(place, whole, bytes, content)
        place = { entry: place.entry + 1, offset: 0 }
      }
      if (place.offset > 0)
        throw new Stop('source-failed', 'What was to be exported is not there any more: start the export again in an empty folder.')
      await archive.finish()
    } finally {
      await archive.abandon()
    }
  }

  async #beginVolume(): Promise<VolumeWriter> {
    const index = this.#state.volumes.length + 1
    if (index > format.VOLUMES_MAX)
      throw new Stop('invalid-input', `More than ${format.VOLUMES_MAX} volumes are needed: choose greater ones.`)
    const file = await this.#out.create(format.volumeName(index))
    const salt = this.#input.random.bytes(format.SALT_BYTES)
    return new VolumeWriter(file, new VolumeSealer(this.#bundleKey, this.#state.bundleId, index, salt))
  }

  async #endVolume(volume: VolumeWriter, next: Place | null): Promise<void> {
    const written = await volume.finish()
    const file = await this.#vouch(format.volumeName(this.#state.volumes.length + 1), written)
    await this.#save({ ...this.#state, volumes: [...this.#state.volumes, { ...file, next }] })
  }

  /** Writes the trailer of a finished volume. */
  async #vouch(name: string, { record, leaves, sha512 }: WrittenVolume): Promise<FileState> {
    const trailer = writeTrailer(this.#input.signer, this.#state.bundleId, name, record, leaves)
    await this.#out.writeFile(format.trailerName(name), trailer)
    return { ...record, sha512, trailerSha512: hash('sha512', trailer, 'hex') }
  }

  async writeParity(): Promise<void> {
    const { parityVolumes, volumes, groupVolumes } = this.#state
    if (parityVolumes === 0) return
    for (let group = this.#state.parity.length; group * groupVolumes < volumes.length; group++) {
      const names = Array.from({ length: parityVolumes }, (_, number) => format.parityName(group + 1, number + 1))
      const data = await this.#openGroup(group)
      try {
        const files = []
        for (const name of names) files.push(await this.#out.create(name))
        const written = await writeParity(data, files, (bytes) => this.#check('parity', bytes))
        const vouched: FileState[] = []
        for (const [number, name] of names.entries()) vouched.push(await this.#vouch(name, written[number]!))
        await this.#save({ ...this.#state, parity: [...this.#state.parity, vouched] })
      } finally {
        for (const { file } of data) await file.close()
      }
    }
  }

  /** The data volumes of a group as they lie on the medium. */
  async #openGroup(group: number) {
    const { volumes, groupVolumes } = this.#state
    const data = []
    for (const [at, record] of volumes.slice(group * groupVolumes, (group + 1) * groupVolumes).entries()) {
      const name = format.volumeName(group * groupVolumes + at + 1)
      const trailer = await this.#out.readFile(format.trailerName(name), trailerBytesMax(record.bytes))
      const document = trailer && parseDocument('trailer', trailer)
      const leaves = document?.ok === true ? readLeaves(record, document.value.rest) : undefined
      const file = await this.#out.open(name)
      if (file === undefined || leaves === undefined)
        throw new Stop('medium-failed', `${name} or its trailer cannot be read back: the medium is faulty.`)
      data.push({ name, record, leaves, file })
    }
    return data
  }

  async close(): Promise<BundleSummary> {
    const { bundleId, volumes, parity, groupVolumes, receiptKeys } = this.#state
    const groups = Array.from({ length: Math.ceil(volumes.length / groupVolumes) }, (_, group) => ({
      volumes: volumes.slice(group * groupVolumes, (group + 1) * groupVolumes),
      parity: parity[group] ?? [],
    }))
    const preamble = Buffer.from(this.#state.preamble, 'base64')
    const manifest = writeManifest(this.#input.signer, bundleId, digestOfBody('preamble', preamble), groups)
    const sums = new Map([
      [format.README_NAME, hash('sha512', readmeText(this.#input.marking), 'hex')],
      [format.PREAMBLE_NAME, hash('sha512', preamble, 'hex')],
      [format.MANIFEST_NAME, hash('sha512', manifest, 'hex')],
    ])
    const states = groups.flatMap((group) => [...group.volumes, ...group.parity])
    for (const [at, { name }] of namedGroups(groups)
      .flatMap(({ data, parity }) => [...data, ...parity])
      .entries()) {
      sums.set(name, states[at]!.sha512)
      sums.set(format.trailerName(name), states[at]!.trailerSha512)
    }
    const lines = [...sums].map(([name, sum]) => `${sum}  ${name}\n`)
    await this.#out.writeFile(format.CHECKSUMS_NAME, Buffer.from(lines.join('')))
    for (const name of await this.#out.names()) if (!sums.has(name) && name !== format.CHECKSUMS_NAME) await this.#out.remove(name)
    await this.#out.writeFile(format.MANIFEST_NAME, manifest)
    return {
      bundleId,
      manifestDigest: digestOfBody('manifest', manifest),
      volumes: volumes.length,
      parityVolumes: parity.flat().length,
      bytes: states.reduce((sum, { bytes }) => sum + bytes, 0),
      receiptKeys,
    }
  }
}

function newState(input: WriteBundleInput): BundleState {
  const bundleId = Buffer.from(input.random.bytes(16)).toString('hex')
  const bundleKey = input.random.bytes(BUNDLE_KEY_BYTES)
  const { signer, epoch, recipients, nowMs, expiresMs, marking } = input
  const preamble = writePreamble({
    ...{ bundleId, bundleKey, signer, epoch, recipients, nowMs },
    needs: input.statement.needs,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(marking === undefined ? {} : { marking }),
  })
  if (!preamble.ok) throw new Stop(preamble.error.kind, preamble.error.sentence)
  return {
    bundleId,
    bundleKey: Buffer.from(bundleKey).toString('base64'),
    preamble: preamble.value.document.toString('base64'),
    receiptKeys: preamble.value.receiptKeys,
    volumeBytes: input.volumeBytes,
    groupVolumes: input.groupVolumes ?? format.GROUP_VOLUMES_DEFAULT,
    parityVolumes: input.parityVolumes,
    volumes: [],
    parity: [],
  }
}

/** The saved state, as far as the medium still bears it out. */
async function resumedState(input: WriteBundleInput, saved: BundleState, out: OutputFolder): Promise<BundleState> {
  const document = parseDocument('preamble', Buffer.from(saved.preamble, 'base64'))
  const preamble = document.ok ? readPreamble(document.value.body) : undefined
  const sites = (list: readonly string[]): string => [...list].sort().join()
  const same =
    preamble !== undefined &&
    preamble.sender.identity.siteId === input.signer.publicIdentity.siteId &&
    preamble.sender.epoch === input.epoch &&
    sites(preamble.recipients.map(({ site }) => site)) === sites(input.recipients.map(({ siteId }) => siteId)) &&
    JSON.stringify(preamble.needs) === JSON.stringify(input.statement.needs) &&
    saved.volumeBytes === input.volumeBytes &&
    saved.parityVolumes === input.parityVolumes &&
    (input.groupVolumes ?? saved.groupVolumes) === saved.groupVolumes
  if (!same)
    throw new Stop(
      'state-mismatch',
      'The export that was begun here was another one: give the same peer and options again, or use an empty folder.',
    )
  const there = async (name: string, bytes: number): Promise<boolean> =>
    (await out.bytes(name)) === bytes && (await out.bytes(format.trailerName(name))) !== undefined
  let volumes = 0
  while (volumes < saved.volumes.length && (await there(format.volumeName(volumes + 1), saved.volumes[volumes]!.bytes))) volumes++
  if (volumes < saved.volumes.length) return { ...saved, volumes: saved.volumes.slice(0, volumes), parity: [] }
  let groups = 0
  for (const group of saved.parity) {
    for (const [number, { bytes }] of group.entries())
      if (!(await there(format.parityName(groups + 1, number + 1), bytes))) return { ...saved, parity: saved.parity.slice(0, groups) }
    groups++
  }
  return saved
}

/** What belongs to a bundle under way. */
const isBundleName = (name: string): boolean =>
  /^(?:README\.txt|preamble|manifest|SHA512SUMS|volume-[0-9]{5}\.(?:tar\.sealed|trailer)|parity-[0-9]{3,}-[0-9]{2}\.(?:rows|trailer))(?:\.partial)?$/.test(
    name,
  )

const trailerBytesMax = (volumeBytes: number): number => documentBytesMax('trailer') + rowCount(volumeBytes) * format.DIGEST_BYTES

function digestOfBody(kind: 'preamble' | 'manifest', document: Uint8Array): string {
  const parsed = parseDocument(kind, document)
  assert(parsed.ok)
  return hash('sha384', parsed.value.body, 'hex')
}

/** An entry as a member, or members, of the archive. */
function laidOut(
  entry: BundleEntry,
  number: number,
): { readonly whole: Whole; readonly bytes: number; readonly content: AsyncIterable<Uint8Array> } {
  if (entry.kind === 'operations') {
    const bytes = entry.lines.length
    if (bytes > format.OPERATIONS_BYTES_MAX) throw new Stop('invalid-input', `Entry ${number} has more than 4 MiB of operations.`)
    return { whole: { kind: 'operations', number }, bytes, content: once(entry.lines) }
  }
  const { digest, bytes } = entry
  const sound = /^[0-9a-f]{96}$/.test(digest) && Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= format.CONTENT_BYTES_MAX
  if (!sound) throw new Stop('invalid-input', `Entry ${number} has no digest, or no length that a bundle can carry.`)
  return { whole: { kind: 'content', digest }, bytes, content: entry.read() }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The entries of the caller; what they throw becomes a fault. */
async function* guarded(entries: AsyncIterable<BundleEntry>): AsyncGenerator<BundleEntry> {
  const iterator = entries[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        ended = true
        throw new Stop(
          'source-failed',
          `What was to be exported cannot be listed: ${error instanceof Error ? error.message : String(error)}`,
        )
      })
      if (next.done === true) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    if (!ended) await iterator.return?.().catch(() => undefined)
  }
}
