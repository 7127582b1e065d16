/**
 * What a simulated disk holds: files and folders as programs see them (the kernel's cache), and what of it would survive a power cut.
 * Both are kept as the cached state plus, for everything not yet synced, what is durable instead.
 *
 * A power cut chooses per sector of 512 bytes, per file size and per directory entry, each for itself, whether the cached or the durable
 * state stays; at times all stays or all is lost.
 */
import type { Chance } from './chance.ts'

const PAGE = 4096
const SECTOR = 512

export type Dirty = { readonly pages: readonly number[]; readonly size: number }

/** What a page that was never written durably holds. */
const ZEROS = new Uint8Array(PAGE)

export class FileNode {
  size = 0
  #bytes = new Uint8Array(0)
  /** A clone uses the same bytes: whoever writes first makes some of its own. */
  #shared = false
  #durableSize = 0
  /** Durable content of the pages that have unsynced writes; never changed in place. */
  readonly #durablePages = new Map<number, Uint8Array>()
  /** The same of pages whose sync failed: the kernel shows what was written, takes it for clean, and never writes it. */
  readonly #droppedPages = new Map<number, Uint8Array>()

  /** Pages of which no read succeeds until they are written as a whole. */
  readonly #unreadable = new Set<number>()

  read(offset: number, bytes: number): Uint8Array | undefined {
    return offset + bytes > this.size ? undefined : this.#bytes.slice(offset, offset + bytes)
  }

  /** Past the cache. What is unsynced is written out by that, and no more durable than before. */
  readPastCache(offset: number, bytes: number): Uint8Array | undefined {
    const content = this.read(offset, bytes)
    for (const [page, durable] of this.#droppedPages) {
      const from = Math.max(offset, page * PAGE)
      const to = Math.min(offset + bytes, (page + 1) * PAGE)
      if (from < to) content?.set(durable.subarray(from - page * PAGE, to - page * PAGE), from - offset)
    }
    return content
  }

  write(offset: number, content: Uint8Array, durably: boolean): void {
    const end = offset + content.length
    const before = this.size
    this.#own(end)
    for (let page = Math.floor(offset / PAGE); page * PAGE < end; page++) {
      if (offset <= page * PAGE && end >= (page + 1) * PAGE) this.#unreadable.delete(page)
      const dropped = this.#droppedPages.get(page)
      if (dropped !== undefined) this.#durablePages.set(page, dropped)
      this.#droppedPages.delete(page)
      const durable = this.#durablePages.get(page)
      if (!durably && durable === undefined) {
        this.#durablePages.set(page, page * PAGE >= before ? ZEROS : this.#bytes.slice(page * PAGE, (page + 1) * PAGE))
      }
      if (durably && durable !== undefined) {
        const from = Math.max(offset, page * PAGE)
        const changed = durable.slice()
        changed.set(content.subarray(from - offset, Math.min(end, (page + 1) * PAGE) - offset), from - page * PAGE)
        this.#durablePages.set(page, changed)
      }
    }
    this.#bytes.set(content, offset)
    this.size = Math.max(this.size, end)
    if (durably) this.#durableSize = Math.max(this.#durableSize, end)
  }

  /** What is not synced now. */
  dirty(): Dirty {
    return { pages: [...this.#durablePages.keys()], size: this.size }
  }

  sync({ pages, size }: Dirty): void {
    for (const page of pages) this.#durablePages.delete(page)
    this.#durableSize = Math.max(this.#durableSize, size)
  }

  /** The sync failed. Whoever syncs again hears of nothing, and the pages are not durable all the same. */
  failSync({ pages }: Dirty): void {
    for (const page of pages) {
      const durable = this.#durablePages.get(page)
      if (durable !== undefined) this.#droppedPages.set(page, durable)
      this.#durablePages.delete(page)
    }
  }

  /** Inverts a bit of what is there, cached and durable. */
  flip(offset: number, bit: number): void {
    this.#own(this.size)
    this.#bytes[offset]! ^= 1 << bit
    const page = Math.floor(offset / PAGE)
    for (const pages of [this.#durablePages, this.#droppedPages]) {
      const durable = pages.get(page)?.slice()
      if (durable === undefined) continue
      durable[offset % PAGE]! ^= 1 << bit
      pages.set(page, durable)
    }
  }

  /** A sector of the disk goes bad. */
  spoil(offset: number): void {
    this.#unreadable.add(Math.floor(offset / PAGE))
  }

  canRead(offset: number, bytes: number): boolean {
    return ![...this.#unreadable].some((page) => page * PAGE < offset + bytes && (page + 1) * PAGE > offset)
  }

  /** Pages that are written in part are read for the rest. */
  canWrite(offset: number, bytes: number): boolean {
    const end = offset + bytes
    return (offset % PAGE === 0 || this.canRead(offset, 1)) && (end % PAGE === 0 || this.canRead(end - 1, 1))
  }

  /** Ends there, as a file system that was repaired may leave it. */
  truncate(bytes: number): void {
    this.#own(this.size)
    this.#bytes.fill(0, bytes)
    this.size = bytes
    this.#durableSize = bytes
    this.#durablePages.clear()
    this.#droppedPages.clear()
  }

  powerCut(chance: Chance): void {
    this.#own(this.size)
    for (const [page, durable] of this.#droppedPages) if (page * PAGE < this.size) this.#bytes.set(durable, page * PAGE)
    this.#droppedPages.clear()
    if (this.#durablePages.size === 0 && this.size === this.#durableSize) return
    const mode = chance.below(3)
    const loses = (): boolean => mode === 0 || (mode === 2 && chance.oneIn(2))
    for (const [page, durable] of this.#durablePages) {
      for (let at = 0; at < PAGE; at += SECTOR) {
        if (loses()) this.#bytes.set(durable.subarray(at, at + SECTOR), page * PAGE + at)
      }
    }
    if (this.size !== this.#durableSize && loses()) this.size = this.#durableSize
    this.#bytes.fill(0, this.size)
    this.#durablePages.clear()
    this.#durableSize = this.size
  }

  clone(): FileNode {
    const copy = new FileNode()
    copy.#bytes = this.#bytes
    copy.#shared = true
    this.#shared = true
    copy.size = this.size
    copy.#durableSize = this.#durableSize
    for (const [page, durable] of this.#durablePages) copy.#durablePages.set(page, durable)
    for (const [page, durable] of this.#droppedPages) copy.#droppedPages.set(page, durable)
    for (const page of this.#unreadable) copy.#unreadable.add(page)
    return copy
  }

  /** Makes sure that the bytes up to `end` are there and its own. */
  #own(end: number): void {
    if (end <= this.#bytes.length && !this.#shared) return
    const pages = Math.ceil(end / PAGE) * PAGE
    const own = new Uint8Array(end <= this.#bytes.length ? this.#bytes.length : Math.max(pages, this.#bytes.length * 2))
    own.set(this.#bytes)
    this.#bytes = own
    this.#shared = false
  }
}

export type Node = FileNode | FolderNode

export class FolderNode {
  readonly entries = new Map<string, Node>()
  /** What the names that changed since the last sync durably stand for; undefined: nothing. */
  readonly #durable = new Map<string, Node | undefined>()

  set(name: string, node: Node | undefined): void {
    if (!this.#durable.has(name)) this.#durable.set(name, this.entries.get(name))
    if (node === undefined) this.entries.delete(name)
    else this.entries.set(name, node)
  }

  setDurably(name: string, node: Node): void {
    this.entries.set(name, node)
    this.#durable.delete(name)
  }

  dirty(): string[] {
    return [...this.#durable.keys()]
  }

  sync(names: Iterable<string>): void {
    for (const name of names) this.#durable.delete(name)
  }

  powerCut(chance: Chance): void {
    const mode = chance.below(3)
    for (const [name, node] of this.#durable) {
      if (mode === 1 || (mode === 2 && chance.oneIn(2))) continue
      if (node === undefined) this.entries.delete(name)
      else this.entries.set(name, node)
    }
    this.#durable.clear()
    for (const node of this.entries.values()) node.powerCut(chance)
  }

  clone(): FolderNode {
    const copy = new FolderNode()
    const copies = new Map<Node, Node>()
    const copyOf = (node: Node): Node => {
      const made = copies.get(node) ?? node.clone()
      copies.set(node, made)
      return made
    }
    for (const [name, node] of this.entries) copy.entries.set(name, copyOf(node))
    for (const [name, node] of this.#durable) copy.#durable.set(name, node && copyOf(node))
    return copy
  }

  *files(prefix = ''): Generator<[path: string, file: FileNode]> {
    for (const [name, node] of this.entries) {
      if (node instanceof FileNode) yield [prefix + name, node]
      else yield* node.files(`${prefix}${name}/`)
    }
  }
}

/** One physical disk. Its faults belong to it, whoever has opened it. */
export class Medium {
  root: FolderNode | undefined = new FolderNode()
  /** Grows when the directory becomes another one. */
  incarnation = 0
  /** Grows when whoever has it open can go on no more: its power failed, or the process ended. */
  openings = 0
  capacityBytes: number
  usedBytes = 0
  hangs = false
  /** Nothing can be written; what is there can be read. */
  refusesWrites = false
  /** The directory under another name. */
  aside: FolderNode | undefined
  /** What was asked while it hangs, and may still be done when it goes on. */
  stuck: (() => void)[] = []
  nextFault: 'io' | 'io-read' | 'io-sync' | 'lost-write' | 'misdirected-write' | undefined
  /** Each operation takes up to so much longer. */
  slowUs = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  find(path: string): Node | undefined {
    let node: Node | undefined = this.root
    if (path === '') return node
    for (const part of path.split('/')) node = node instanceof FolderNode ? node.entries.get(part) : undefined
    return node
  }

  file(path: string): FileNode | undefined {
    const node = this.find(path)
    return node instanceof FileNode ? node : undefined
  }

  folder(path: string): FolderNode | undefined {
    const node = this.find(path)
    return node instanceof FolderNode ? node : undefined
  }

  powerCut(chance: Chance): void {
    this.root?.powerCut(chance)
    this.recount()
  }

  recount(): void {
    this.usedBytes = 0
    for (const [, file] of this.root?.files() ?? []) this.usedBytes += file.size
  }
}

/** The folder that a path lies in, and its last part. */
export function split(path: string): [folder: string, name: string] {
  const at = path.lastIndexOf('/')
  return at < 0 ? ['', path] : [path.slice(0, at), path.slice(at + 1)]
}
