/**
 * Writes a bundle into a folder. Nothing is on the medium that the state does not know before: the key is drawn and saved first, then preamble, data volumes,
 * parity, and last the manifest. It may be stopped anywhere and called again with the state saved last. Memory: a few rows (1 MiB each) and 48 bytes per MiB
 * of the volume in hand; while parity is made, one row and 48 bytes per MiB of each volume of the group (at most GROUP_VOLUMES_DEFAULT unless told otherwise).
 */
import { strict as assert } from 'node:assert'
import { hash } from 'node:crypto'
import { fail, type Result } from '../result.ts'
import { ArchiveWriter } from './archive-writer.ts'
import { isBundleName, newState, resumedState } from './bundle-begin.ts'
import { guarded, laidOut, once } from './bundle-entry.ts'
import type { BundleState, FileState, Place } from './bundle-state.ts'
import { documentBytesMax, parseDocument } from './document.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import * as format from './format.ts'
import { type NamedVolume, namedGroups, readLeaves, rowCount, writeManifest, writeTrailer } from './manifest.ts'
import { type OutputFile, type OutputFolder, outputFolder } from './media.ts'
import { type WrittenData, writeParity } from './parity.ts'
import type { ReceiptKey } from './preamble.ts'
import { readmeText } from './readme.ts'
import { plainCapacity, VolumeSealer } from './volume.ts'
import { VolumeWriter, type WrittenVolume } from './volume-writer.ts'
import type { BundleProgress, WriteBundleInput } from './write-input.ts'

export type { BundleEntry } from './bundle-entry.ts'
export type { BundleProgress, WriteBundleInput } from './write-input.ts'

export type BundleSummary = {
  readonly bundleId: string
  readonly manifestDigest: string
  readonly volumes: number
  readonly parityVolumes: number
  /** Of all volumes together. */
  readonly bytes: number
  readonly receiptKeys: readonly ReceiptKey[]
}

/** Writes a bundle whole, or goes on with one that was interrupted. Faults: invalid-input, those of the media. */
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
        `${out.path} already holds ${JSON.stringify(strange)}: a bundle is written into an empty folder of its own. Name another one, or one that is not there yet.`,
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
      throw new Stop('medium-failed', error instanceof Error ? error.message : String(error))
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
      const data: WrittenData[] = []
      const files: OutputFile[] = []
      try {
        for (const one of this.#groupNames(group)) data.push(await this.#openVolume(one))
        for (const name of names) files.push(await this.#out.create(name))
        const written = await writeParity(data, files, (bytes) => this.#check('parity', bytes))
        const vouched: FileState[] = []
        for (const [number, name] of names.entries()) vouched.push(await this.#vouch(name, written[number]!))
        await this.#save({ ...this.#state, parity: [...this.#state.parity, vouched] })
      } catch (error) {
        for (const file of files) await file.abandon()
        throw error
      } finally {
        for (const { file } of data) await file.close()
      }
    }
  }

  #groupNames(group: number): readonly NamedVolume[] {
    const { volumes, groupVolumes } = this.#state
    const first = group * groupVolumes
    return volumes.slice(first, first + groupVolumes).map((record, at) => ({ name: format.volumeName(first + at + 1), record }))
  }

  /** A data volume as it lies on the medium. */
  async #openVolume({ name, record }: NamedVolume): Promise<WrittenData> {
    const trailer = await this.#out.readFile(format.trailerName(name), trailerBytesMax(record.bytes))
    const document = trailer && parseDocument('trailer', trailer)
    const leaves = document?.ok === true ? readLeaves(record, document.value.rest) : undefined
    const file = leaves && (await this.#out.open(name))
    if (file === undefined || leaves === undefined)
      throw new Stop('medium-failed', `${name} or its trailer cannot be read back: the medium is faulty.`)
    return { name, record, leaves, file }
  }

  /** Before the manifest says so, all files are there, and none besides. What others put there meanwhile is not ours to remove. */
  async #clear(listed: ReadonlyMap<string, string>): Promise<void> {
    for (const { data, parity } of namedGroups(groupsOf(this.#state)))
      for (const { name, record } of [...data, ...parity])
        if ((await this.#out.bytes(name)) !== record.bytes || (await this.#out.bytes(format.trailerName(name))) === undefined)
          throw gone(this.#out, name)
    const names = (await this.#out.names()).filter((name) => !listed.has(name) && name !== format.CHECKSUMS_NAME)
    const strange = names.find((name) => !isBundleName(name))
    if (strange !== undefined)
      throw new Stop(
        'out-not-empty',
        `${this.#out.path} holds ${JSON.stringify(strange)}, which does not belong to the bundle. Move it away, then run the export again to finish it.`,
      )
    for (const name of names) await this.#out.remove(name)
  }

  async close(): Promise<BundleSummary> {
    const { bundleId, volumes, parity, receiptKeys } = this.#state
    const groups = groupsOf(this.#state)
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
    await this.#clear(sums)
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

const groupsOf = ({ volumes, parity, groupVolumes }: BundleState) =>
  Array.from({ length: Math.ceil(volumes.length / groupVolumes) }, (_, group) => ({
    volumes: volumes.slice(group * groupVolumes, (group + 1) * groupVolumes),
    parity: parity[group] ?? [],
  }))

/** What is on the medium under this name is what was written, by its length; else it was taken away meanwhile. */
const gone = (out: OutputFolder, name: string): Stop =>
  new Stop('medium-failed', `${name} is not in ${out.path} any more as it was written. Run the export again: it is written anew.`)

const trailerBytesMax = (volumeBytes: number): number => documentBytesMax('trailer') + rowCount(volumeBytes) * format.DIGEST_BYTES

function digestOfBody(kind: 'preamble' | 'manifest', document: Uint8Array): string {
  const parsed = parseDocument(kind, document)
  assert(parsed.ok)
  return hash('sha384', parsed.value.body, 'hex')
}
