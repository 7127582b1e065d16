import { fail, ok, type Result } from '../result.ts'

/**
 * Makes the copy of a shared library that an older glibc can load. The prebuilt uWebSockets.js for Linux asks for glibc 2.38 only because a new
 * compiler renamed three functions for C23 (`__isoc23_strtol` and the like, which also read `0b…` numbers). glibc has always had them under
 * their plain names, so in the copy
 *   - `.dynsym` points those names 9 bytes further, at the plain name behind the prefix,
 *   - `.gnu.version` gives them the version GLIBC_2.2.5, in which x86-64 glibc has had the plain names from its beginning,
 *   - `.gnu.version_r` marks the need for GLIBC_2.38 as weak, so that the loader goes on without it.
 * No code is changed. Format: System V ABI, "Object Files"; Linux Standard Base, "Symbol Versioning".
 */
const PREFIX = '__isoc23_'
const PLAIN = new Set(['sscanf', 'strtol', 'strtoul'])
const VERSION_NEW = 'GLIBC_2.38'
const VERSION_OLD = 'GLIBC_2.2.5'

const SECTION_DYNSYM = 11
const SECTION_VERSYM = 0x6fffffff
const SECTION_VERNEED = 0x6ffffffe
const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const VERSION_FLAG_WEAK = 2

export type RewriteFault = 'not-elf64-little-endian' | 'malformed' | 'needs-more-than-c23-names'

type Section = { readonly type: number; readonly offset: number; readonly bytes: number; readonly link: number; readonly entries: number }

/** A rewritten copy of `library`; the original stays as it is. */
export function rewriteForOlderGlibc(library: Uint8Array): Result<Buffer, RewriteFault> {
  const copy = Buffer.from(library)
  if (copy.length < 64 || copy.readUInt32BE(0) !== 0x7f454c46 || copy[4] !== 2 || copy[5] !== 1) return fail('not-elf64-little-endian')
  try {
    return rewrite(copy)
  } catch {
    // An offset beyond the end: a RangeError of Buffer.
    return fail('malformed')
  }
}

function rewrite(copy: Buffer): Result<Buffer, RewriteFault> {
  const sections = readSections(copy)
  const symbols = sections.find((section) => section.type === SECTION_DYNSYM)
  const versions = sections.find((section) => section.type === SECTION_VERSYM)
  const needs = sections.find((section) => section.type === SECTION_VERNEED)
  const names = symbols && sections[symbols.link]
  if (!symbols || !versions || !needs || !names) return fail('malformed')

  const text = (at: number): string => copy.toString('latin1', names.offset + at, copy.indexOf(0, names.offset + at))
  const found = readNeeds(copy, needs, text)
  const newest = found.find((need) => need.name === VERSION_NEW)
  const oldest = found.find((need) => need.name === VERSION_OLD && need.file === newest?.file)
  if (!newest || !oldest) return fail('malformed')

  const count = Math.floor(symbols.bytes / SYMBOL_BYTES)
  for (let index = 0; index < count; index += 1) {
    const versionAt = versions.offset + 2 * index
    if (copy.readUInt16LE(versionAt) !== newest.index) continue
    const nameAt = symbols.offset + SYMBOL_BYTES * index
    const name = text(copy.readUInt32LE(nameAt))
    if (!name.startsWith(PREFIX) || !PLAIN.has(name.slice(PREFIX.length))) return fail('needs-more-than-c23-names')
    copy.writeUInt32LE(copy.readUInt32LE(nameAt) + PREFIX.length, nameAt)
    copy.writeUInt16LE(oldest.index, versionAt)
  }
  copy.writeUInt16LE(copy.readUInt16LE(newest.flagsAt) | VERSION_FLAG_WEAK, newest.flagsAt)
  return ok(copy)
}

function readSections(file: Buffer): Section[] {
  const tableAt = Number(file.readBigUInt64LE(40))
  const count = file.readUInt16LE(60)
  return Array.from({ length: count }, (_, number) => {
    const at = tableAt + number * SECTION_HEADER_BYTES
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      bytes: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
      entries: file.readUInt32LE(at + 44),
    }
  })
}

type Need = { readonly file: string; readonly name: string; readonly index: number; readonly flagsAt: number }

/** The version needs: per library a chain of named versions, each with the index by which `.gnu.version` refers to it. */
function readNeeds(file: Buffer, section: Section, text: (at: number) => string): Need[] {
  const needs: Need[] = []
  let libraryAt = section.offset
  for (let library = 0; library < section.entries; library += 1) {
    const versionCount = file.readUInt16LE(libraryAt + 2)
    const name = text(file.readUInt32LE(libraryAt + 4))
    let versionAt = libraryAt + file.readUInt32LE(libraryAt + 8)
    for (let version = 0; version < versionCount; version += 1) {
      needs.push({
        file: name,
        name: text(file.readUInt32LE(versionAt + 8)),
        index: file.readUInt16LE(versionAt + 6) & 0x7fff,
        flagsAt: versionAt + 4,
      })
      versionAt += file.readUInt32LE(versionAt + 12)
    }
    libraryAt += file.readUInt32LE(libraryAt + 12)
  }
  return needs
}
