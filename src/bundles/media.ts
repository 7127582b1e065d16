/**
 * The folders that bundles are written to and read from: the only file here that touches node:fs. Media are not trusted: links and special files are never
 * opened, lengths are asked for first, and an unreadable place is damage, not a failure.
 */
import { constants, promises as fs } from 'node:fs'
import { join } from 'node:path'
import { describeNotMade, makeFolders } from '../make-folders.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { Stop } from './fault.ts'
import { PARTIAL_SUFFIX } from './format.ts'

/** More names than any bundle has (VOLUMES_MAX, their trailers, parity): the folder is something else. */
const NAMES_MAX = 40_000

/** A file of a bundle where it lies; not opened yet. */
export type FoundFile = { readonly name: string; readonly path: string; readonly bytes: number }

/** Reads at any place of one file. */
export interface InputFile {
  /** Up to `bytes` bytes from `offset`: fewer at the end of the file, undefined if the medium cannot read them. */
  read(offset: number, bytes: number): Promise<Buffer | undefined>
  close(): Promise<void>
}

/** A file being written under a temporary name. */
export interface OutputFile {
  /** The pieces, one behind the other, at the end. They must not change until it resolves. */
  append(pieces: readonly Uint8Array[]): Promise<void>
  /** Syncs the file and gives it its name. */
  finish(): Promise<void>
  abandon(): Promise<void>
}

/** Where a bundle is written. Throws Stop only ('medium-full', 'medium-failed'). */
export interface OutputFolder {
  readonly path: string
  /** Makes the folder if it is not there. */
  prepare(): Promise<void>
  names(): Promise<readonly string[]>
  /** Length of a file, undefined if it is not there. */
  bytes(name: string): Promise<number | undefined>
  create(name: string): Promise<OutputFile>
  /** A small file, whole or not at all. */
  writeFile(name: string, content: Uint8Array): Promise<void>
  readFile(name: string, bytesMax: number): Promise<Buffer | undefined>
  open(name: string): Promise<InputFile | undefined>
  remove(name: string): Promise<void>
}

/** The plain files of a folder. Refuses links, folders and special files. */
export async function listFolder(folder: string): Promise<FoundFile[]> {
  const files: FoundFile[] = []
  const others: string[] = []
  try {
    for await (const entry of await fs.opendir(folder)) {
      const path = join(folder, entry.name)
      if (files.length + others.length >= NAMES_MAX) throw new Stop('unlisted-file', `${folder} holds more files than a bundle can have.`)
      const stat = await fs.lstat(path)
      if (stat.isFile()) files.push({ name: entry.name, path, bytes: stat.size })
      else others.push(`${shown(path)} is ${kindInWords(stat)}`)
    }
  } catch (error) {
    if (error instanceof Stop) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw new Stop('not-a-bundle', `${shown(folder)} is not a directory: name the folder that the files of the bundle lie in.`)
    throw new Stop('not-a-bundle', describeSystemFailure(folder, 'read', error))
  }
  // Folders alone are somebody's home, or a site: nothing there is to be moved away.
  if (others.length > 0 && !files.some(({ name }) => isOfBundle(name)))
    throw new Stop(
      'not-a-bundle',
      `There is no bundle in ${shown(folder)}: name the folder that its files (preamble, manifest, volumes) lie in.`,
    )
  if (others.length > 0)
    throw new Stop(
      'not-a-plain-file',
      `${listed(others.sort())}: a bundle consists of plain files only. Move away what is not of it, then try again.`,
    )
  return files
}

const isOfBundle = (name: string): boolean => /^(?:preamble|manifest|(?:volume|parity)-.*)$/.test(name)

const LISTED_MAX = 50

/** All of them, as long as a sentence can hold them. */
export const listed = (names: readonly string[]): string =>
  names.slice(0, LISTED_MAX).join(', ') + (names.length > LISTED_MAX ? `, and ${names.length - LISTED_MAX} more` : '')

/** Undefined if it cannot be opened as a plain file. */
export async function openInput(path: string): Promise<InputFile | undefined> {
  // O_NONBLOCK: a pipe that took the place of the file since it was listed must not hang the open.
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined)
  if (handle === undefined) return undefined
  const stat = await handle.stat().catch(() => undefined)
  if (stat?.isFile() !== true) {
    await handle.close()
    return undefined
  }
  return {
    async read(offset, bytes) {
      const into = Buffer.allocUnsafeSlow(bytes)
      let filled = 0
      try {
        while (filled < bytes) {
          const { bytesRead } = await handle.read(into, filled, bytes - filled, offset + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
      } catch {
        return undefined
      }
      return into.subarray(0, filled)
    },
    close: () => handle.close().catch(() => undefined),
  }
}

/** The whole of a small file; undefined if it cannot be read, or is longer than `bytesMax`. */
export async function readSmall(path: string, bytesMax: number): Promise<Buffer | undefined> {
  const file = await openInput(path)
  if (file === undefined) return undefined
  const pieces: Buffer[] = []
  let length = 0
  try {
    for (;;) {
      const piece = await file.read(length, Math.min(256 * 1024, bytesMax + 1 - length))
      if (piece === undefined) return undefined
      if (piece.length === 0) return Buffer.concat(pieces)
      pieces.push(piece)
      length += piece.length
      if (length > bytesMax) return undefined
    }
  } finally {
    await file.close()
  }
}

export function outputFolder(path: string): OutputFolder {
  const at = (name: string): string => join(path, name)
  const syncFolder = async (): Promise<void> => {
    const handle = await fs.open(path, constants.O_RDONLY)
    // Some file systems of removable media cannot sync a folder; the files themselves are synced.
    await handle.sync().catch(() => undefined)
    await handle.close()
  }
  const create = async (name: string): Promise<OutputFile> => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
    const handle = await attempt(path, () => fs.open(at(name + PARTIAL_SUFFIX), flags, 0o644))
    let end = 0
    return {
      append: (pieces) =>
        attempt(path, async () => {
          for (const piece of pieces)
            for (let from = 0; from < piece.length; ) {
              const { bytesWritten } = await handle.write(piece, from, piece.length - from, end)
              from += bytesWritten
              end += bytesWritten
            }
        }),
      finish: () =>
        attempt(path, async () => {
          await handle.sync()
          await handle.close()
          await fs.rename(at(name + PARTIAL_SUFFIX), at(name))
          await syncFolder()
        }),
      abandon: () => handle.close().catch(() => undefined),
    }
  }
  return {
    path,
    async prepare() {
      // For whoever the system lets, as any file that is carried: the content is sealed.
      const made = await makeFolders(path, { mode: 0o777 })
      if (!made.ok) throw new Stop('medium-failed', describeNotMade(made.error))
    },
    names: () => attempt(path, () => fs.readdir(path)),
    bytes: async (name) => {
      const stat = await fs.lstat(at(name)).catch(() => undefined)
      return stat?.isFile() === true ? stat.size : undefined
    },
    create,
    async writeFile(name, content) {
      const file = await create(name)
      try {
        await file.append([content])
        await file.finish()
      } catch (error) {
        await file.abandon()
        throw error
      }
    },
    readFile: (name, bytesMax) => readSmall(at(name), bytesMax),
    open: (name) => openInput(at(name)),
    remove: (name) => attempt(path, () => fs.rm(at(name), { force: true })),
  }
}

async function attempt<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
      throw new Stop('medium-full', `${folder} is full (or takes no file of this size): make room, or export with a smaller --volume-size.`)
    throw new Stop('medium-failed', describeSystemFailure(folder, 'written', error))
  }
}

/** A name from a medium, without control characters that would change the terminal. */
export const shown = (text: string): string => JSON.stringify(text).slice(1, -1)

function kindInWords(stat: { isSymbolicLink(): boolean; isDirectory(): boolean }): string {
  if (stat.isSymbolicLink()) return 'a symbolic link'
  return stat.isDirectory() ? 'a folder' : 'a special file'
}
