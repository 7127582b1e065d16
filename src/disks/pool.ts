/**
 * The pool: which disks there are, and who is in. Every change of that is a new generation, durable on all disks that are in or healing
 * by it, then in the witness, before anybody is told; see pool-start.ts for what a start makes of them, and docs/formats.md#disk-identity.
 *
 * Invariants: every attempt has a name of its own and follows upon the one before. No generation is written with fewer than k disks of a set in. One change is under way at a time; what is asked
 * meanwhile goes into the next one together. A disk that fails while a generation is written is out by the next attempt. What the durable
 * generation does not say (too few disks would stay, or the pool is read-only) is kept in `#lost`, and shown as out.
 */
import type { Random } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import type { SetDisk } from './extents.ts'
import { GenerationChain, staying } from './generation-chain.ts'
import { checkDiskFiles, GenerationFiles, isVacant, readFoundDisk } from './generation-files.ts'
import type { Generation, GenerationSet, Member } from './identity.ts'
import { hex, layPool, readWitness } from './pool-create.ts'
import { type DiskPlace, decideStart, type StartDecision } from './pool-start.ts'
import type { DiskSlot, PoolView } from './pool-view.ts'
import type { PoolWitness } from './pool-witness.ts'
import { describeFault, describeTooFew, type PoolFault, WITNESS_LOST } from './pool-words.ts'

export type DiskOut = { readonly set: number; readonly position: number; readonly reason: string }
export type ChangeFault = 'too-few-disks' | 'read-only'

export type OpenPool = {
  /** In any order; those that cannot be opened are left out. */
  readonly disks: readonly (Disk | undefined)[]
  readonly witness: PoolWitness
  /** The greatest generation that the index has seen; 0 without an index. (Sequences are compared by the journal.) */
  readonly seen: { readonly generation: number }
  /** The operator's word that what other disks may hold is given up. */
  readonly acceptOlder?: boolean
  readonly random: Random
}

type Change = {
  /** Changes the members as they will be; a fault takes back nothing, so it decides first. */
  readonly edit: (draft: Draft) => ChangeFault | 'not-possible' | undefined
  /** A generation is written even if the members stay as they are. */
  readonly always?: 'new-branch' | 'again'
  readonly answer: (result: Result<PoolView, ChangeFault | 'not-possible'>) => void
}
/** By set and position. */
type Draft = Member[][]
type Handle = { readonly disk: Disk; readonly files: GenerationFiles }

export class Pool {
  readonly #witness: PoolWitness
  readonly #random: Random
  /** By id, those of the pool that are here; the ones that are out too. */
  readonly #disks: Map<string, Handle>
  readonly #listeners = new Set<(view: PoolView) => void>()
  /** Out, whatever the durable generation says: the reason, by id. */
  readonly #lost = new Map<string, string>()
  readonly #healed = new Map<string, { doneBytes: number; totalBytes: number }>()
  readonly #changes: Change[] = []
  readonly #chain: GenerationChain
  /** The newest one that is settled, or that rules a pool which may not be written. */
  #generation: Generation
  #blocked: StartDecision['blocked']
  #readOnly: string | undefined
  #working = false
  #view: PoolView
  #setDisks: readonly (readonly (SetDisk | undefined)[])[] = []

  private constructor(input: { witness: PoolWitness; random: Random; decision: StartDecision; disks: Map<string, Handle> }) {
    this.#witness = input.witness
    this.#random = input.random
    this.#disks = input.disks
    const { ruling, sets, blocked } = input.decision
    this.#chain = new GenerationChain(input.random, input.decision)
    this.#generation = { ...ruling, sets }
    this.#blocked = blocked
    this.#view = this.#look()
  }

  /** A new pool of one set, its disks in the order given; they must be empty. Durable when it answers. */
  static async create(input: {
    readonly disks: readonly Disk[]
    readonly parityShards: number
    readonly random: Random
    readonly witness: PoolWitness
  }): Promise<Result<Pool, PoolFault>> {
    const laid = await layPool(input)
    if (!laid.ok) return laid
    return Pool.open({ disks: input.disks, witness: input.witness, seen: { generation: 0 }, random: input.random })
  }

  /** Answers a read-only pool (`view.readOnly`) where a start could begin a second history, or too few disks are there. */
  static async open(input: OpenPool): Promise<Result<Pool, PoolFault>> {
    const witness = await readWitness(input.witness)
    if (!witness.ok) return witness
    const present = input.disks.filter((disk) => disk !== undefined)
    const read = await Promise.all(present.map(readFoundDisk))
    const newer = present.filter((_, i) => !read[i]!.ok).map((disk) => disk.directory)
    if (newer.length > 0)
      return fail({ kind: 'newer-format', sentence: `${newer.join(', ')} was written by a newer Holdfast: use that one.` })
    const found = read.flatMap((result) => (result.ok ? result.value : []))
    const decision = decideStart({
      found,
      witness: witness.value,
      seenGeneration: input.seen.generation,
      acceptOlder: input.acceptOlder === true,
    })
    if (!decision.ok) return decision

    const disks = new Map<string, Handle>()
    for (const [id, { disk }] of decision.value.here) disks.set(id, { disk, files: await GenerationFiles.open(disk) })
    const pool = new Pool({ witness: input.witness, random: input.random, decision: decision.value, disks })
    await pool.#begin(decision.value.forced)
    return ok(pool)
  }

  get view(): PoolView {
    return this.#view
  }

  /** Called after each change of the view; the returned function ends that. */
  onChange(listener: (view: PoolView) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Whether it is read-only for want of the witness alone: `putOut([])` tries again. */
  get waitsForWitness(): boolean {
    return this.#readOnly === WITNESS_LOST
  }

  /** The disks of a set by position; undefined where one is out. The same array until the view changes. */
  disks(set: number): readonly (SetDisk | undefined)[] {
    return this.#setDisks[set] ?? []
  }

  disk(set: number, position: number): SetDisk | undefined {
    return this.#setDisks[set]?.[position]
  }

  /** Those that are in. */
  journalDisks(): Disk[] {
    return this.#setDisks.flatMap((set) => set.flatMap((found) => (found === undefined || found.writeOnly ? [] : found.disk)))
  }

  /** Disks that are out and here, of this pool's own history, and can be healed. */
  returned(): DiskPlace[] {
    return this.#view.sets
      .flatMap((set) => set.disks)
      .filter((slot) => slot.state === 'out' && !this.#lost.has(slot.diskId) && this.#disks.get(slot.diskId)?.disk.failed === undefined)
      .filter((slot) => this.#disks.has(slot.diskId))
      .map(({ set, position }) => ({ set, position }))
  }

  /** Resolves when it is durable that they are out. Asked with an empty list, tries again what could not be written before. */
  async putOut(disks: readonly DiskOut[]): Promise<Result<PoolView, ChangeFault>> {
    const result = await this.#change((draft) => {
      for (const { set, position, reason } of disks) {
        const member = draft[set]?.[position]
        if (member === undefined || member.state === 'out') continue
        this.#lost.set(member.diskId, reason)
        putOut(draft, set, position, reason)
      }
      return undefined
    })
    return result.ok ? result : fail(result.error === 'read-only' ? 'read-only' : 'too-few-disks')
  }

  /**
   * Takes new writes onto a disk that is out, until markIn. `disk`: the disk opened anew, if it came back since the start.
   * 'not-possible' if it is not out, or not that disk.
   */
  async startHealing(set: number, position: number, disk?: Disk): Promise<Result<PoolView, ChangeFault | 'not-possible'>> {
    const slot = this.#view.sets[set]?.disks[position]
    if (slot === undefined) return fail('not-possible')
    const handle = disk === undefined ? this.#disks.get(slot.diskId) : await this.#sameDisk(disk, slot.diskId)
    if (handle === undefined || handle.disk.failed !== undefined) return fail('not-possible')
    const result = await this.#change((draft) => {
      const member = draft[set]![position]!
      if (member.state !== 'out' || member.diskId !== slot.diskId) return 'not-possible'
      this.#takeIn(draft, { set, position }, { ...member, reason: 'came back' }, handle)
      return undefined
    })
    // It may have failed again while the generation was written.
    return result.ok && this.disk(set, position) === undefined ? fail('not-possible') : result
  }

  /** Gives the place of a disk, whatever its state, to an empty one, which then heals. */
  async replaceDisk(set: number, position: number, disk: Disk): Promise<Result<PoolView, ChangeFault | PoolFault>> {
    const geometry = this.#generation.sets[set]
    const old = geometry?.disks[position]
    if (geometry === undefined || old === undefined) return fail({ kind: 'bad-geometry', sentence: `Set ${set} has no place ${position}.` })
    const ready = await this.#readyForUse(disk)
    if (!ready.ok) return ready
    const { dataShards, parityShards } = geometry
    const diskId = hex(this.#random.bytes(16))
    const files = await GenerationFiles.lay(disk, { poolId: this.#view.poolId, diskId, set, position, dataShards, parityShards })
    if (!files.ok) return fail({ kind: 'disk-failed', sentence: `${disk.directory} cannot be used: ${describeFault(files.error)}.` })
    const result = await this.#change((draft) => {
      const stay = draft[set]!.filter((other, i) => i !== position && other.state === 'in').length
      if (stay < dataShards) return 'too-few-disks'
      this.#takeIn(draft, { set, position }, { diskId, state: 'healing', reason: 'replaced' }, { disk, files: files.value })
      return undefined
    })
    if (result.ok) this.#letGo(old.diskId)
    else this.#disks.delete(diskId)
    return result.ok ? result : fail(result.error === 'not-possible' ? 'read-only' : result.error)
  }

  /** Everything that a healing disk should hold was read back: it counts again when this answers. */
  markIn(set: number, position: number): Promise<Result<PoolView, ChangeFault | 'not-possible'>> {
    return this.#change((draft) => {
      const member = draft[set]?.[position]
      if (member?.state !== 'healing') return 'not-possible'
      const { reason: _, ...rest } = member
      draft[set]![position] = { ...rest, state: 'in' }
      return undefined
    })
  }

  /** Reads back the identity and the generation of a disk that is in, and writes again what is not as it should be. */
  async mendFiles(set: number, position: number): Promise<'whole' | 'mended' | 'failed'> {
    const { poolId, sets, generation } = this.#view
    const { dataShards, parityShards, disks } = sets[set]!
    const { diskId, state } = disks[position]!
    const disk = this.#disks.get(diskId)?.disk
    if (state !== 'in' || disk === undefined) return 'failed'
    const checked = await checkDiskFiles(disk, { poolId, diskId, set, position, dataShards, parityShards }, generation)
    if (!checked.ok) return 'failed'
    // A newer one may have been written meanwhile.
    const isBad = checked.value.generation === 'bad' && this.#view.generation === generation && !this.#working
    if (isBad && !(await this.#change(() => undefined, 'again')).ok) return 'failed'
    return isBad || checked.value.identity === 'mended' ? 'mended' : 'whole'
  }

  /** For the view only; not kept. */
  reportProgress(set: number, position: number, healed: { readonly doneBytes: number; readonly totalBytes: number }): void {
    const slot = this.#view.sets[set]?.disks[position]
    if (slot?.state !== 'healing') return
    this.#healed.set(slot.diskId, { ...healed })
    this.#publish()
  }

  /**
   * The operator's word that a disk which is not here is lost for good. When all those are retired whose absence makes the pool read-only, it
   * may be written again, if k disks of each set are here; what only the retired ones held is lost.
   */
  async retire(set: number, position: number): Promise<Result<PoolView, ChangeFault | 'not-possible'>> {
    const slot = this.#view.sets[set]?.disks[position]
    if (slot?.state !== 'out') return fail('not-possible')
    const blocked = this.#blocked
    this.#lost.set(slot.diskId, RETIRED)
    this.#publish()
    if (blocked === undefined) return this.#change(() => undefined)
    const isRetired = ({ set, position }: DiskPlace): boolean => this.#view.sets[set]?.disks[position]?.reason === RETIRED
    if (blocked.missing.length === 0 || !blocked.missing.every(isRetired)) return ok(this.#view)
    this.#blocked = undefined
    return this.#change(() => undefined, 'new-branch')
  }

  // ---- How a generation comes to be ----

  async #begin(forced: boolean): Promise<void> {
    if (this.#blocked !== undefined) {
      this.#readOnly = this.#blocked.sentence
      this.#publish()
      return
    }
    await this.#write(this.#draft(), forced)
  }

  #change(edit: Change['edit'], always?: NonNullable<Change['always']>): Promise<Result<PoolView, ChangeFault | 'not-possible'>> {
    return new Promise((answer) => {
      this.#changes.push({ edit, answer, ...(always === undefined ? {} : { always }) })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    // What is asked in the same turn goes into one generation.
    await undefined
    while (this.#changes.length > 0) {
      const batch = this.#changes.splice(0)
      const draft = this.#draft()
      const accepted = batch.filter((change) => {
        const fault = change.edit(draft)
        if (fault !== undefined) change.answer(fail(fault))
        return fault === undefined
      })
      const result = await this.#settle(draft, accepted)
      for (const change of accepted) change.answer(result)
    }
    this.#working = false
  }

  async #settle(draft: Draft, changes: readonly Change[]): Promise<Result<PoolView, ChangeFault>> {
    if (this.#blocked !== undefined) {
      this.#publish()
      return fail('read-only')
    }
    const newBranch = changes.some((change) => change.always === 'new-branch')
    const again = changes.some((change) => change.always === 'again')
    const unchanged = !newBranch && !again && this.#readOnly === undefined && sameMembers(draft, this.#generation.sets)
    return unchanged ? ok(this.#view) : this.#write(draft, newBranch)
  }

  /** Writes generations until one is on every disk that is in or healing by it, and in the witness. */
  async #write(draft: Draft, newBranch: boolean): Promise<Result<PoolView, ChangeFault>> {
    if (newBranch) this.#chain.beginBranch()
    for (;;) {
      const sets: GenerationSet[] = this.#generation.sets.map((set, i) => ({ ...set, disks: draft[i]! }))
      const short = sets.findIndex((set) => set.disks.filter((member) => member.state === 'in').length < set.dataShards)
      if (short >= 0) return this.#giveUp(draft, 'too-few-disks', describeTooFew(short, sets[short]!))
      const generation = this.#chain.next(sets)
      if (!(await this.#writeToDisks(draft, generation))) continue
      const witnessed = await this.#witness.write(generation)
      if (!witnessed.ok) return this.#giveUp(draft, 'read-only', WITNESS_LOST)
      this.#generation = generation
      this.#chain.settle(generation)
      this.#readOnly = undefined
      this.#publish()
      return ok(this.#view)
    }
  }

  /** False if a disk failed; it is out in the draft then. */
  async #writeToDisks(draft: Draft, generation: Generation): Promise<boolean> {
    const write = async (set: Member[], member: Member, position: number): Promise<boolean> => {
      const handle = this.#disks.get(member.diskId)
      const written = handle === undefined ? fail('gone' as const) : await handle.files.write(generation)
      if (written.ok) return true
      const reason = describeFault(handle?.disk.failed ?? written.error)
      this.#lost.set(member.diskId, reason)
      set[position] = { ...member, state: 'out', reason }
      return false
    }
    const all = draft.flatMap((set) => set.map((member, position) => (member.state === 'out' ? true : write(set, member, position))))
    return (await Promise.all(all)).every((written) => written)
  }

  /** The durable generation stays as it is; who is out in the draft is shown as out. */
  #giveUp(draft: Draft, fault: ChangeFault, sentence: string): Result<PoolView, ChangeFault> {
    for (const member of draft.flat()) if (member.state === 'out') this.#lost.set(member.diskId, member.reason ?? 'out')
    this.#readOnly = sentence
    this.#publish()
    return fail(fault)
  }

  #draft(): Draft {
    return this.#generation.sets.map((set) => set.disks.map((member) => staying(this.#asNow(member))))
  }

  #asNow(member: Member): Member {
    const reason = this.#lost.get(member.diskId)
    return reason === undefined ? member : { ...member, state: 'out', reason }
  }

  /** Puts a disk into a place, healing. */
  #takeIn(draft: Draft, { set, position }: DiskPlace, member: Member, handle: Handle): void {
    if (this.#disks.get(member.diskId)?.disk !== handle.disk) this.#letGo(member.diskId)
    this.#disks.set(member.diskId, handle)
    this.#lost.delete(member.diskId)
    this.#healed.delete(member.diskId)
    draft[set]![position] = { ...member, state: 'healing', directory: handle.disk.directory }
  }

  /** Nobody uses the disk through this opening of it any more. */
  #letGo(diskId: string): void {
    this.#disks.get(diskId)?.disk.close()
    this.#disks.delete(diskId)
  }

  /** The disk that was opened anew, if it is the one with this id. */
  async #sameDisk(disk: Disk, diskId: string): Promise<Handle | undefined> {
    const found = await readFoundDisk(disk)
    if (!found.ok || found.value.identity?.poolId !== this.#view.poolId || found.value.identity.diskId !== diskId) return undefined
    this.#chain.note(found.value.generation?.number ?? 0)
    return { disk, files: await GenerationFiles.open(disk) }
  }

  /** Whether a disk may take a place: it is empty, or was about to when a replacement was interrupted. */
  async #readyForUse(disk: Disk): Promise<Result<void, PoolFault>> {
    const found = await readFoundDisk(disk)
    const identity = found.ok ? found.value.identity : undefined
    const ours = this.#view.sets.some((set) => set.disks.some((slot) => slot.diskId === identity?.diskId))
    const interrupted = identity?.poolId === this.#view.poolId && !ours
    const vacant = await isVacant(disk, interrupted ? 'with-identity' : 'without-identity')
    return vacant.ok ? vacant : fail({ kind: 'not-empty', sentence: `${disk.directory} cannot be used: ${vacant.error}.` })
  }

  #publish(): void {
    this.#view = this.#look()
    for (const listener of this.#listeners) listener(this.#view)
  }

  #look(): PoolView {
    const sets = this.#generation.sets.map((set, index) => ({
      ...set,
      disks: set.disks.map((member, i) => this.#slot(this.#asNow(member), index, i)),
    }))
    this.#setDisks = sets.map((set) =>
      set.disks.map((slot) => {
        const handle = slot.state === 'out' ? undefined : this.#disks.get(slot.diskId)
        return handle === undefined ? undefined : { disk: handle.disk, writeOnly: slot.state === 'healing' }
      }),
    )
    const { poolId, number } = this.#generation
    return { poolId, generation: number, sets, ...(this.#readOnly === undefined ? {} : { readOnly: this.#readOnly }) }
  }

  #slot({ diskId, state, reason, directory = '' }: Member, set: number, position: number): DiskSlot {
    const healed = state === 'healing' ? this.#healed.get(diskId) : undefined
    return {
      set,
      position,
      diskId,
      directory,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(healed === undefined ? {} : { healed }),
    }
  }
}

const RETIRED = 'retired'

function putOut(draft: Draft, set: number, position: number, reason: string): void {
  draft[set]![position] = { ...draft[set]![position]!, state: 'out', reason }
}

function sameMembers(draft: Draft, sets: readonly GenerationSet[]): boolean {
  const text = (members: readonly (readonly Member[])[]): string => JSON.stringify(members)
  return text(draft) === text(sets.map((set) => set.disks.map(staying)))
}
