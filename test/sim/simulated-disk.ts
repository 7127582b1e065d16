/**
 * A disk in memory that fails as disks do, by seed. Faults that Holdfast promises to survive, on up to m disks of a set at once
 * (power cuts on all of them):
 *
 * - Power cuts: everything not synced is kept, lost or torn at 512-byte sectors, each sector, file size and directory entry for itself; a
 *   removed file may be back, a new one may be gone though its content was synced; an operation under way has reached the disk in part.
 *   What answered is durable only if the contract says so: O_DSYNC writes; data after sync; names after syncFolder; writeFile; makeFolder.
 * - kill -9: what was written stays, synced or not; operations under way are done, half done or not done.
 * - Operations that overtake each other, and take milliseconds at times.
 * - Bits that flip at rest; writes that answer well and land elsewhere or nowhere.
 * - A full disk, which may take the beginning of a write before it says so.
 * - A disk that hangs: each operation answers 'timeout' after two seconds, and may be done all the same when the disk goes on.
 * - A disk that is slow for a while: each operation takes nearly as long as it may.
 * - I/O errors, of any operation, of a read, or of a sync, after which nothing is believed. After that of a sync the kernel shows what was written as
 *   if it were on the disk, syncs it well when asked again, and never writes it: only reading past the cache tells.
 * - Sectors that cannot be read.
 * - Files that end early, or are gone, as the repair of a file system leaves them.
 * - `rm -rf` of the directory, or another one mounted over it: operations on open files go on into the void, check() says 'gone'.
 * - A disk that comes back as it was some time ago.
 */
import assert from 'node:assert/strict'
import { DIRECT_BYTES, type Disk, type DiskFault, type DiskFile, type DiskSpace, type OpenOptions } from '../../src/disks/disk.ts'
import { isDiskPath, UNFINISHED_SUFFIX } from '../../src/disks/disk-path.ts'
import { IDENTITY_FILE } from '../../src/disks/identity.ts'
import { done, fail, ok, type Result } from '../../src/result.ts'
import { Chance } from './chance.ts'
import { FileNode, FolderNode, Medium, split } from './medium.ts'
import type { Death, SimulatedWorld } from './world.ts'

export type DiskOptions = { readonly capacityBytes?: number }
export type DiskSnapshot = { readonly root: FolderNode | undefined }

/** How an operation passes: what is left of it if the process ends before, which faults hit it, and what is left then. */
type Passing = {
  readonly interrupted?: () => unknown
  readonly kind?: 'io-read' | 'io-sync'
  readonly onError?: () => void
}
const READS: Passing = { kind: 'io-read' }
const SYNCS: Passing = { kind: 'io-sync' }

const TIME_LIMIT_US = 2_000_000
const SMALL_FILE_BYTES_MAX = 1024 * 1024

export class SimulatedDisk implements Disk {
  readonly directory: string
  failed: DiskFault | undefined
  readonly #world: SimulatedWorld
  readonly #medium: Medium
  readonly #chance: Chance
  readonly #incarnation: number
  readonly #opening: number
  /** Without one the directory alone says that it is still the same. */
  #hadIdentity: boolean
  #closed = false
  /** Operations that can still reach the disk. */
  #outstanding = 0

  private constructor(world: SimulatedWorld, directory: string, medium: Medium, chance: Chance) {
    this.#world = world
    this.directory = directory
    this.#medium = medium
    this.#chance = chance
    this.#incarnation = medium.incarnation
    this.#opening = medium.openings
    this.#hadIdentity = medium.file(IDENTITY_FILE) !== undefined
  }

  /** For SimulatedWorld.addDisk. */
  static blank(world: SimulatedWorld, directory: string, options: DiskOptions): SimulatedDisk {
    const chance = new Chance(world.seed, 100 + world.disks.length)
    return new SimulatedDisk(world, directory, new Medium(options.capacityBytes ?? 1024 ** 3), chance)
  }

  // ---- The contract ----

  get quiet(): boolean {
    return this.#outstanding === 0
  }

  open(file: string, options: OpenOptions): Promise<Result<DiskFile, DiskFault>> {
    assert(isDiskPath(file), file)
    const medium = this.#medium
    const make = (): Result<FileNode, DiskFault> => {
      const [folder, name] = split(file)
      const parent = medium.folder(folder)
      if (parent === undefined) return fail('not-found')
      if (parent.entries.has(name)) return fail('exists')
      if (medium.usedBytes >= medium.capacityBytes) return fail('full')
      const node = new FileNode()
      parent.set(name, node)
      return ok(node)
    }
    const find = (): Result<FileNode, DiskFault> => {
      const node = medium.file(file)
      return node === undefined ? fail('not-found') : ok(node)
    }
    const creates = options.mode === 'create'
    const wrap = (found: Result<FileNode, DiskFault>): Result<DiskFile, DiskFault> =>
      found.ok ? ok(new SimulatedFile(this, found.value, options)) : found
    return this.operate(() => wrap(creates ? make() : find()), {
      interrupted: () => (creates && this.#chance.oneIn(2) ? make() : undefined),
    })
  }

  readFile(file: string): Promise<Result<Uint8Array, DiskFault>> {
    assert(isDiskPath(file), file)
    return this.operate(() => {
      const node = this.#medium.file(file)
      if (node === undefined) return fail('not-found')
      return node.size > SMALL_FILE_BYTES_MAX ? fail('io') : ok(node.read(0, node.size)!)
    }, READS)
  }

  writeFile(file: string, content: Uint8Array): Promise<Result<void, DiskFault>> {
    assert(isDiskPath(file), file)
    const [folder, name] = split(file)
    const made = (): FileNode => {
      const node = new FileNode()
      node.write(0, content, true)
      return node
    }
    const replace = (): Result<void, DiskFault> => {
      const parent = this.#medium.folder(folder)
      if (parent === undefined) return fail('not-found')
      if (!this.#takeRoom(content.length)) return fail('full')
      this.#medium.usedBytes -= this.#medium.file(file)?.size ?? 0
      parent.entries.delete(name + UNFINISHED_SUFFIX)
      parent.setDurably(name, made())
      this.#hadIdentity ||= file === IDENTITY_FILE
      return done
    }
    return this.operate(replace, {
      interrupted: () => {
        const far = this.#chance.below(3)
        if (far === 1) this.#medium.folder(folder)?.set(name + UNFINISHED_SUFFIX, made())
        if (far === 2) this.#medium.folder(folder)?.set(name, made())
      },
    })
  }

  makeFolder(folder: string): Promise<Result<void, DiskFault>> {
    assert(isDiskPath(folder), folder)
    const make = (): Result<void, DiskFault> => {
      let parent = this.#medium.root
      if (parent === undefined) return fail('not-found')
      for (const part of folder.split('/')) {
        const node: FileNode | FolderNode = parent.entries.get(part) ?? new FolderNode()
        if (node instanceof FileNode) return fail('exists')
        parent.setDurably(part, node)
        parent = node
      }
      return done
    }
    return this.operate(make, { interrupted: () => (this.#chance.oneIn(2) ? make() : undefined) })
  }

  syncFolder(folder: string): Promise<Result<void, DiskFault>> {
    const names = this.#medium.folder(folder)?.dirty() ?? []
    return this.operate(() => {
      const node = this.#medium.folder(folder)
      if (node === undefined) return fail('not-found')
      node.sync(names)
      return done
    }, SYNCS)
  }

  list(folder: string): Promise<Result<string[], DiskFault>> {
    return this.operate(() => {
      const node = this.#medium.folder(folder)
      if (node === undefined) return fail('not-found')
      const names = [...node.entries].map(([name, entry]) => (entry instanceof FolderNode ? `${name}/` : name))
      return ok(this.#chance.shuffle(names.filter((name) => !name.endsWith(UNFINISHED_SUFFIX))))
    })
  }

  remove(file: string): Promise<Result<void, DiskFault>> {
    assert(isDiskPath(file), file)
    const remove = (): Result<void, DiskFault> => {
      const node = this.#medium.file(file)
      if (node === undefined) return fail('not-found')
      const [folder, name] = split(file)
      this.#medium.folder(folder)?.set(name, undefined)
      this.#medium.usedBytes -= node.size
      return done
    }
    return this.operate(remove, { interrupted: () => (this.#chance.oneIn(2) ? remove() : undefined) })
  }

  removeFolder(folder: string): Promise<Result<void, DiskFault>> {
    assert(isDiskPath(folder), folder)
    const remove = (): Result<void, DiskFault> => {
      const node = this.#medium.folder(folder)
      if (node === undefined) return fail('not-found')
      if (node.entries.size > 0) return fail('exists')
      const [parent, name] = split(folder)
      this.#medium.folder(parent)?.set(name, undefined)
      return done
    }
    return this.operate(remove, { interrupted: () => (this.#chance.oneIn(2) ? remove() : undefined) })
  }

  space(): Promise<Result<DiskSpace, DiskFault>> {
    return this.operate(() =>
      ok({ totalBytes: this.#medium.capacityBytes, freeBytes: Math.max(0, this.#medium.capacityBytes - this.#medium.usedBytes) }),
    )
  }

  check(): Promise<Result<void, DiskFault>> {
    return this.operate(() => {
      const hasIdentity = !this.#hadIdentity || this.#medium.file(IDENTITY_FILE) !== undefined
      if (this.#medium.root !== undefined && this.#medium.incarnation === this.#incarnation && hasIdentity) return done
      this.failed ??= 'gone'
      return fail('gone')
    })
  }

  close(): void {
    this.#closed = true
  }

  // ---- What tests do to it ----

  /** The same disk, opened once more, by a new process or after it failed. Takes this one's place among the disks of the world. */
  reopen(): SimulatedDisk {
    const opened = new SimulatedDisk(this.#world, this.directory, this.#medium, this.#chance)
    this.#world.disks[this.#world.disks.indexOf(this)] = opened
    return opened
  }

  /** The power of this disk alone fails and comes back: unsynced writes are lost, and all operations fail until it is opened anew. */
  powerCut(): void {
    this.#medium.openings += 1
    this.#medium.powerCut(this.#chance)
    this.#letStuckGo()
    this.failed ??= 'io'
  }

  /** For SimulatedWorld. `failed` stays as the process last saw it. */
  processDied(how: Death): void {
    this.#medium.openings += 1
    this.#medium.stuck = []
    if (how === 'power-cut') this.#medium.powerCut(this.#chance)
  }

  /** Every operation, also those under way, answers 'timeout' two seconds after it began. */
  hang(): void {
    this.#medium.hangs = true
  }

  /** Each operation takes up to so much longer; 2 s are too long. */
  slowDown(ms: number): void {
    this.#medium.slowUs = ms * 1000
  }

  /** Takes back hanging, slowness and refused writes, and the faults that were to hit the next operation. */
  resume(): void {
    this.#medium.hangs = false
    this.#medium.slowUs = 0
    this.#medium.refusesWrites = false
    this.#medium.nextFault = undefined
    this.#letStuckGo()
  }

  #letStuckGo(): void {
    for (const land of this.#medium.stuck.splice(0)) this.#world.after(this.#world.latencyUs(), { happen: land })
  }

  /** The next operation fails with an I/O error. */
  failNextOperation(): void {
    this.#medium.nextFault = 'io'
  }

  /** From now on every write fails with an I/O error. */
  failWrites(): void {
    this.#medium.refusesWrites = true
  }

  /** The next read fails with an I/O error. */
  failNextRead(): void {
    this.#medium.nextFault = 'io-read'
  }

  /** The next sync of a file or folder fails with an I/O error, and the kernel forgets that there was something to write. */
  failNextSync(): void {
    this.#medium.nextFault = 'io-sync'
  }

  /** The next write answers well and changes nothing. */
  loseNextWrite(): void {
    this.#medium.nextFault = 'lost-write'
  }

  /** The next write answers well and lands at another place of the same file, or in another file. */
  misdirectNextWrite(): void {
    this.#medium.nextFault = 'misdirected-write'
  }

  /** No byte more fits. */
  fill(): void {
    this.#medium.capacityBytes = this.#medium.usedBytes
  }

  setCapacity(bytes: number): void {
    this.#medium.capacityBytes = bytes
  }

  /** `rm -rf`. Open files stay usable and lead nowhere. */
  deleteDirectory(): void {
    this.#medium.root = undefined
    this.#medium.usedBytes = 0
  }

  /** What is in the directories of two disks changes places. Who had them open has other ones. */
  swapWith(other: SimulatedDisk): void {
    const [mine, theirs] = [this.#medium, other.#medium]
    const { root, capacityBytes } = mine
    mine.root = theirs.root
    mine.capacityBytes = theirs.capacityBytes
    theirs.root = root
    theirs.capacityBytes = capacityBytes
    for (const medium of [mine, theirs]) {
      medium.incarnation += 1
      medium.recount()
    }
  }

  /** The directory is renamed, or its mount point taken away: open files are written to as before, and nothing is found by its path. */
  unplug(): void {
    this.#medium.aside ??= this.#medium.root
    this.#medium.root = undefined
  }

  /** It has its name again. */
  plug(): void {
    this.#medium.root ??= this.#medium.aside
    this.#medium.aside = undefined
  }

  /** An empty directory stands where the disk was (or is made where there was none). */
  replaceByEmpty(): void {
    this.#medium.root = new FolderNode()
    this.#medium.incarnation += 1
    this.#medium.recount()
  }

  /** Whether there is a directory. */
  get isThere(): boolean {
    return this.#medium.root !== undefined
  }

  snapshot(): DiskSnapshot {
    return { root: this.#medium.root?.clone() }
  }

  /** The disk is as it was at the snapshot. Whoever has it open has another one; open it anew. */
  restore(snapshot: DiskSnapshot): void {
    this.#medium.root = snapshot.root?.clone()
    this.#medium.incarnation += 1
    this.#medium.recount()
  }

  /** All files, by path, in no order; unfinished replacements too. */
  files(): string[] {
    return [...(this.#medium.root?.files() ?? [])].map(([path]) => path)
  }

  /** What programs would read. */
  content(file: string): Uint8Array | undefined {
    const node = this.#medium.file(file)
    return node?.read(0, node.size)
  }

  /** Puts bytes into a file as if they had always been there. */
  setContent(file: string, content: Uint8Array): void {
    const node = new FileNode()
    node.write(0, content, true)
    const [folder, name] = split(file)
    const parent = this.#medium.folder(folder)
    assert(parent !== undefined, `no folder for ${file}`)
    parent.setDurably(name, node)
    this.#medium.recount()
  }

  /** Inverts one bit, of chance unless named. Answers which byte; undefined if the file is not there or empty. */
  flipBit(file: string, offset?: number): number | undefined {
    const node = this.#medium.file(file)
    if (node === undefined || node.size === 0) return undefined
    const at = offset ?? this.#chance.below(node.size)
    node.flip(at, this.#chance.below(8))
    return at
  }

  /** A sector goes bad: reads of that place fail with an I/O error until it is written. */
  spoil(file: string, offset: number): void {
    this.#medium.file(file)?.spoil(offset)
  }

  /** The file ends somewhere before its end. */
  cutShort(file: string): void {
    const node = this.#medium.file(file)
    if (node === undefined || node.size === 0) return
    node.truncate(this.#chance.below(node.size))
    this.#medium.recount()
  }

  /** The file is gone. */
  loseFile(file: string): void {
    const [folder, name] = split(file)
    const parent = this.#medium.folder(folder)
    parent?.set(name, undefined)
    parent?.sync([name])
    this.#medium.recount()
  }

  // ---- How operations pass ----

  /** Lets `effect` happen after a while. */
  operate<T>(effect: () => Result<T, DiskFault>, { interrupted, kind, onError }: Passing = {}): Promise<Result<T, DiskFault>> {
    if (this.#closed || this.#opening !== this.#medium.openings) this.failed ??= 'gone'
    return new Promise((resolve) => {
      const distrust = (fault: DiskFault): void => {
        const answer = this.failed === undefined ? fault : 'gone'
        this.failed ??= fault
        resolve(fail(answer))
      }
      const begunUs = this.#world.nowUs
      this.#outstanding += 1
      const happen = (): void => {
        if (this.#opening !== this.#medium.openings) this.failed ??= 'gone'
        if (this.failed === undefined && this.#medium.hangs) {
          this.#medium.stuck.push(land)
          this.#world.after(begunUs + TIME_LIMIT_US - this.#world.nowUs, { happen: () => distrust('timeout') })
          return
        }
        this.#outstanding -= 1
        if (this.failed !== undefined) resolve(fail('gone'))
        else if (this.#medium.nextFault === 'io' || (kind !== undefined && this.#medium.nextFault === kind)) {
          this.#medium.nextFault = undefined
          onError?.()
          distrust('io')
        } else resolve(effect())
      }
      const land = (): void => {
        this.#outstanding -= 1
        if (this.#opening === this.#medium.openings && this.#medium.root !== undefined && this.#chance.oneIn(2)) effect()
      }
      const interrupt = (): void => {
        if (this.failed === undefined && !this.#medium.hangs) interrupted?.()
      }
      const slowUs = this.#medium.slowUs === 0 ? 0 : this.#chance.below(this.#medium.slowUs)
      this.#world.after(this.#world.latencyUs() + slowUs, { happen, interrupted: interrupt })
    })
  }

  /** An operation met a bad sector. */
  distrust(): Result<never, DiskFault> {
    this.failed ??= 'io'
    return fail('io')
  }

  /** The bytes of one write reach the disk, or what a fault makes of them. */
  applyWrite(node: FileNode, offset: number, content: Uint8Array, dsync: boolean): Result<void, DiskFault> {
    const fault = this.#medium.nextFault
    if (fault === 'lost-write' || fault === 'misdirected-write') this.#medium.nextFault = undefined
    if (fault === 'lost-write') return done
    if (fault === 'misdirected-write') {
      this.#misdirect(node, offset, content)
      return done
    }
    if (this.#medium.refusesWrites || !node.canWrite(offset, content.length)) return this.distrust()
    const growth = Math.max(0, offset + content.length - node.size)
    if (!this.#takeRoom(growth)) {
      const fits = Math.min(content.length, Math.max(0, node.size - offset))
      if (fits > 0) node.write(offset, content.subarray(0, this.#chance.below(fits + 1)), false)
      return fail('full')
    }
    node.write(offset, content, dsync)
    return done
  }

  /** A write under way when the process ended: all, some or nothing of it is in the cache. */
  interruptWrite(node: FileNode, offset: number, content: Uint8Array): void {
    const far = this.#chance.below(3)
    const bytes = far === 0 ? 0 : far === 1 ? content.length : this.#chance.below(content.length + 1)
    if (bytes > 0 && this.#takeRoom(Math.max(0, offset + bytes - node.size))) node.write(offset, content.subarray(0, bytes), false)
  }

  #misdirect(node: FileNode, offset: number, content: Uint8Array): void {
    const others = [...(this.#medium.root?.files() ?? [])].map(([, other]) => other).filter((other) => other !== node)
    const target = others.length > 0 && this.#chance.oneIn(2) ? this.#chance.pick(others) : node
    const at = Math.floor(this.#chance.below(Math.max(1, target.size)) / 512) * 512
    const fits = content.subarray(0, Math.max(0, target.size - at))
    if (fits.length > 0 && !(target === node && at === offset)) target.write(at, fits, true)
  }

  #takeRoom(bytes: number): boolean {
    if (bytes > 0 && this.#medium.usedBytes + bytes > this.#medium.capacityBytes) return false
    this.#medium.usedBytes += bytes
    return true
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk
  readonly #node: FileNode
  readonly #dsync: boolean
  readonly #readOnly: boolean
  readonly #direct: boolean
  readonly #forgiving: boolean
  #closed = false

  constructor(disk: SimulatedDisk, node: FileNode, options: OpenOptions) {
    this.#disk = disk
    this.#node = node
    this.#dsync = options.dsync === true
    this.#readOnly = options.mode === 'read'
    this.#direct = options.direct === true
    this.#forgiving = options.forgiving === true
  }

  read(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
    assert(!this.#closed, 'the file is closed')
    assert(!this.#direct, 'the file is open for direct reading and writing only')
    return this.#disk.operate(() => {
      if (!this.#node.canRead(offset, bytes)) return this.#forgiving ? fail('io') : this.#disk.distrust()
      const content = this.#node.read(offset, bytes)
      return content === undefined ? fail('short') : ok(content)
    }, READS)
  }

  readInto(offset: number, target: Uint8Array): Promise<Result<number, DiskFault>> {
    assert(!this.#closed, 'the file is closed')
    assert(!this.#direct || (offset % DIRECT_BYTES === 0 && isAligned(target)), 'a direct read is not aligned')
    return this.#disk.operate(() => {
      const bytes = Math.max(0, Math.min(target.length, this.#node.size - offset))
      if (!this.#node.canRead(offset, bytes)) return this.#forgiving ? fail('io') : this.#disk.distrust()
      if (bytes > 0) target.set(this.#direct ? this.#node.readPastCache(offset, bytes)! : this.#node.read(offset, bytes)!)
      return ok(bytes)
    }, READS)
  }

  write(offset: number, pieces: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    assert(!this.#closed && !this.#readOnly, 'the file is not open for writing')
    assert(!this.#direct || (offset % DIRECT_BYTES === 0 && pieces.every(isAligned)), 'a direct write is not aligned')
    return this.#disk.operate(() => this.#disk.applyWrite(this.#node, offset, joined(pieces), this.#dsync), {
      interrupted: () => this.#disk.interruptWrite(this.#node, offset, joined(pieces)),
    })
  }

  sync(): Promise<Result<void, DiskFault>> {
    assert(!this.#closed, 'the file is closed')
    const dirty = this.#node.dirty()
    const sync = (): Result<void, DiskFault> => {
      this.#node.sync(dirty)
      return done
    }
    return this.#disk.operate(sync, { ...SYNCS, onError: () => this.#node.failSync(dirty) })
  }

  size(): Promise<Result<number, DiskFault>> {
    return this.#disk.operate(() => ok(this.#node.size))
  }

  close(): void {
    this.#closed = true
  }
}

/** Of addresses, only what lies in one memory can be seen. */
const isAligned = (piece: Uint8Array): boolean => piece.length % DIRECT_BYTES === 0 && piece.byteOffset % DIRECT_BYTES === 0

const joined = (pieces: readonly Uint8Array[]): Uint8Array => (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
