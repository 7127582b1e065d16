/** Files of the federation outside of the store: the state of exports under way (0600, it holds keys), and receipts. The only file here that touches node:fs. */
import { hash } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describeNotMade, makeFolders } from '../make-folders.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { Refusal } from './site.ts'

const STATE_FILE_BYTES_MAX = 64 * 1024 * 1024

/** What is kept of one export until it is finished: a folder of small files. */
export class StateFolder {
  readonly path: string

  /** `out`: where the bundle is written; there is one export to a folder. */
  constructor(stateDirectory: string, out: string) {
    this.path = join(stateDirectory, hash('sha384', out, 'hex').slice(0, 32))
  }

  /** Undefined if it is not there. */
  async read(name: string): Promise<Buffer | undefined> {
    try {
      const file = join(this.path, name)
      if ((await fs.stat(file)).size > STATE_FILE_BYTES_MAX) return undefined
      return await fs.readFile(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw unusable(this.path, 'read', error)
    }
  }

  /** Whole or not at all, and durable when it resolves. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const made = await makeFolders(this.path)
    if (!made.ok) throw stateRefusal(describeNotMade(made.error))
    try {
      await writeWhole(join(this.path, name), content, 0o600)
    } catch (error) {
      throw unusable(this.path, 'written', error)
    }
  }

  async remove(): Promise<void> {
    // The key goes first: without it the rest says nothing.
    await fs.rm(join(this.path, 'bundle.json'), { force: true })
    await fs.rm(this.path, { recursive: true, force: true })
  }
}

const stateRefusal = (why: string): Refusal =>
  new Refusal(6, 'state-unusable', `The state of the export cannot be kept, so it did not go on. ${why} Then run it again.`)
const unusable = (path: string, verb: 'read' | 'written', error: unknown): Refusal =>
  stateRefusal(describeSystemFailure(path, verb, error, { place: 'fixed' }))

async function writeWhole(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = `${file}.partial`
  const handle = await fs.open(temporary, 'w', mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await fs.rename(temporary, file)
  const folder = await fs.open(dirname(file), 'r')
  // Some file systems of removable media cannot sync a folder; the file itself is synced.
  await folder.sync().catch(() => undefined)
  await folder.close()
}

/** Whether a receipt can be written there, asked before hours of work. Throws Refusal if it cannot. */
export async function checkReceiptFile(file: string): Promise<void> {
  const refuse = (why: string) => new Refusal(5, 'receipt-unwritable', `The receipt could not be written, so nothing was imported: ${why}`)
  if ((await fs.stat(file).catch(() => undefined))?.isDirectory() === true)
    throw refuse(`${file} is a directory; name a file with --receipt.`)
  const trial = `${file}.partial`
  try {
    await (await fs.open(trial, 'w')).close()
    await fs.rm(trial)
  } catch (error) {
    throw refuse(describeSystemFailure(file, 'written', error))
  }
}

/** Throws Refusal if it cannot be written. */
export async function writeReceiptFile(file: string, text: string): Promise<void> {
  try {
    await writeWhole(file, text, 0o644)
  } catch (error) {
    throw new Refusal(
      6,
      'receipt-unwritten',
      `Everything was applied, but the receipt was not written. ${describeSystemFailure(file, 'written', error)} Then run the import again: it gives the receipt.`,
    )
  }
}

/** Whether there is nothing in the folder, or no folder. */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  try {
    return (await fs.readdir(folder)).length === 0
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

/** Where a path leads, by whatever links; what is not there yet is taken by its name. */
export async function placeOf(path: string): Promise<string> {
  try {
    return await fs.realpath(path)
  } catch {
    const above = dirname(path)
    return above === path ? path : join(await placeOf(above), basename(path))
  }
}
