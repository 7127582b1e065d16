/** What can happen to a bundle on its way. The folder that it was made in stays as it is; what arrives are copies. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Chance } from '../sim/chance.ts'
import { newPath } from './sites.ts'

/** The folders that arrive. 'whole': nothing in the media speaks against an import; 'refused': it may not be taken; 'either': what came in may be damage that parity makes up for. */
export type Carriage = { readonly how: string; readonly folders: readonly string[]; readonly expected: 'whole' | 'refused' | 'either' }

const isVolume = (name: string): boolean => name.endsWith('.sealed') || name.endsWith('.rows')
/** Of the first group, which has a hundred volumes. */
const isFirstData = (name: string): boolean => /^volume-00(?:0[0-9]{2}|100)\.tar\.sealed$/.test(name)
const isFirstParity = (name: string): boolean => /^parity-001-[0-9]{2}\.rows$/.test(name)

export function carried(
  chance: Chance,
  shipment: { readonly folder: string; readonly parity: number },
  others: readonly { readonly folder: string }[],
): Carriage {
  const folder = newPath('medium')
  cpSync(shipment.folder, folder, { recursive: true })
  const medium = new Medium(chance, folder)
  switch (chance.below(12)) {
    case 0:
      return { how: 'with the damage that parity makes up for', ...medium.damaged(shipment.parity) }
    case 1:
      return { how: 'with more damage than parity makes up for', ...medium.destroyed(shipment.parity) }
    case 2:
      return { how: 'with a file changed', ...medium.changed() }
    case 3:
      return { how: 'with a file missing', ...medium.incomplete() }
    case 4:
      return { how: 'with files of another bundle', ...medium.mixed(others) }
    case 5:
    case 6:
      return { how: 'in several folders', ...medium.spread() }
    default:
      return { how: 'whole', folders: [folder], expected: 'whole' }
  }
}

class Medium {
  readonly #chance: Chance
  readonly #folder: string

  constructor(chance: Chance, folder: string) {
    this.#chance = chance
    this.#folder = folder
  }

  #path = (name: string): string => join(this.#folder, name)
  #names = (which: (name: string) => boolean): string[] => readdirSync(this.#folder).filter(which).sort()

  #end(expected: Carriage['expected']): Omit<Carriage, 'how'> {
    return { folders: [this.#folder], expected }
  }

  #flip(name: string, at?: number): void {
    const bytes = readFileSync(this.#path(name))
    bytes[at ?? this.#chance.below(bytes.length)]! ^= 1 + this.#chance.below(255)
    writeFileSync(this.#path(name), bytes)
  }

  /** One volume for each of parity, in any way; their trailers too. */
  damaged(parity: number): Omit<Carriage, 'how'> {
    for (const name of this.#chance.shuffle(this.#names(isVolume)).slice(0, parity)) {
      const kind = this.#chance.below(3)
      if (kind === 0) rmSync(this.#path(name))
      else if (kind === 1) truncateSync(this.#path(name), this.#chance.below(statSync(this.#path(name)).size))
      else this.#flip(name)
      if (this.#chance.oneIn(4)) rmSync(this.#path(`${name.slice(0, name.indexOf('.'))}.trailer`))
    }
    return this.#end('whole')
  }

  /** One more, at the same place in the volumes: the first row of each. */
  destroyed(parity: number): Omit<Carriage, 'how'> {
    const data = this.#chance.shuffle(this.#names(isFirstData))
    const rest = this.#chance.shuffle([...data.slice(1), ...this.#names(isFirstParity)])
    const lost = [data[0]!, ...rest.slice(0, parity)]
    const removed = this.#chance.oneIn(2)
    for (const name of lost) {
      if (removed) rmSync(this.#path(name))
      else this.#flip(name, this.#chance.below(32))
    }
    return this.#end('refused')
  }

  /** One byte of a document is another one; or there is a file too many. */
  changed(): Omit<Carriage, 'how'> {
    const kind = this.#chance.below(4)
    if (kind === 0) writeFileSync(this.#path('Thumbs.db'), '')
    else if (kind === 1) mkdirSync(this.#path('System Volume Information'))
    else this.#flip(this.#chance.pick(['preamble', 'manifest']))
    return this.#end('refused')
  }

  incomplete(): Omit<Carriage, 'how'> {
    rmSync(this.#path(this.#chance.pick(['preamble', 'manifest'])))
    return this.#end('refused')
  }

  mixed(others: readonly { readonly folder: string }[]): Omit<Carriage, 'how'> {
    if (others.length === 0) return this.#end('whole')
    const other = this.#chance.pick(others).folder
    const kind = this.#chance.below(3)
    if (kind === 0) return { folders: this.#chance.shuffle([this.#folder, other]), expected: 'refused' }
    const names = kind === 1 ? [this.#chance.pick(['preamble', 'manifest'])] : ['volume-00001.tar.sealed', 'volume-00001.trailer']
    for (const name of names) cpSync(join(other, name), this.#path(name))
    return this.#end(kind === 1 ? 'refused' : 'either')
  }

  /** Files on several media, some of them more than once, one copy of those perhaps damaged; the folders in any order, and one named twice. */
  spread(): Omit<Carriage, 'how'> {
    const folders = Array.from({ length: 1 + this.#chance.below(3) }, () => newPath('medium'))
    for (const folder of folders) mkdirSync(folder)
    for (const name of this.#names(() => true)) {
      const [first, second] = this.#chance.shuffle(folders)
      cpSync(this.#path(name), join(first!, name))
      if (second === undefined || !this.#chance.oneIn(3)) continue
      cpSync(this.#path(name), join(second, name))
      if (isVolume(name)) truncateSync(join(second, name), this.#chance.below(statSync(join(second, name)).size))
    }
    const named = this.#chance.shuffle([...folders, this.#chance.pick(folders)])
    return { folders: named, expected: 'whole' }
  }
}
