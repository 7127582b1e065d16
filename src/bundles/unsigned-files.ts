/**
 * README.txt and SHA512SUMS: for people, signed by nobody, and what they say follows from the rest. So it is made anew and compared: whoever finds a medium acts
 * upon the one, and whoever has no Holdfast upon the other. Memory: the list of checksums, at most CHECKSUMS_BYTES_MAX.
 */
import { hash } from 'node:crypto'
import type { BundleHead } from './bundle-head.ts'
import { documentBytesMax } from './document.ts'
import { CHECKSUMS_BYTES_MAX, CHECKSUMS_NAME, MANIFEST_NAME, PREAMBLE_NAME, README_NAME, trailerName } from './format.ts'
import { type FoundFile, readSmall, shown } from './media.ts'
import { readmeText } from './readme.ts'

/** The SHA-512 that files may have, by name: that of a volume as it was signed, those of its trailers that are good. */
export type KnownSums = Map<string, ReadonlySet<string>>

export type UnsignedDamage = { readonly name: string; readonly sentence: string }

const README_BYTES_MAX = 64 * 1024
const NAMED_MAX = 8
const UNAFFECTED = 'The content is not affected.'

/** What of the two is missing, or is not as it was written. A line of the list about a file that is not in `known` is left open: that file is damaged itself. */
export async function checkUnsigned(head: BundleHead, known: KnownSums): Promise<UnsignedDamage[]> {
  const readme = Buffer.from(readmeText(head.preamble.marking))
  const damage: UnsignedDamage[] = []
  const readmes = head.files.byName.get(README_NAME) ?? []
  if (readmes.length === 0) damage.push({ name: README_NAME, sentence: `${README_NAME} is missing. ${UNAFFECTED}` })
  for (const file of readmes)
    if ((await readSmall(file.path, README_BYTES_MAX))?.equals(readme) !== true)
      damage.push({ name: README_NAME, sentence: `${shown(file.path)} is not as it was written: do not do what it says. ${UNAFFECTED}` })
  const sums: KnownSums = new Map([...known, [README_NAME, new Set([hash('sha512', readme, 'hex')])]])
  for (const kind of ['preamble', 'manifest'] as const)
    sums.set(kind, await sumsOf(head.files.byName.get(kind) ?? [], documentBytesMax(kind)))
  const lists = head.files.byName.get(CHECKSUMS_NAME) ?? []
  if (lists.length === 0) damage.push({ name: CHECKSUMS_NAME, sentence: `${CHECKSUMS_NAME} is missing. ${UNAFFECTED}` })
  for (const file of lists) {
    const wrong = await wrongIn(file, head, sums)
    if (wrong !== undefined)
      damage.push({
        name: CHECKSUMS_NAME,
        sentence: `${shown(file.path)} is not as it was written${wrong}: do not judge the files by it. ${UNAFFECTED}`,
      })
  }
  return damage
}

/** The SHA-512 of the copies of a small file, of those that can be read. */
export async function sumsOf(copies: readonly FoundFile[], bytesMax: number): Promise<ReadonlySet<string>> {
  const sums = new Set<string>()
  for (const { path } of copies) {
    const bytes = await readSmall(path, bytesMax)
    if (bytes !== undefined) sums.add(hash('sha512', bytes, 'hex'))
  }
  return sums
}

/** Every file of the bundle but the list itself, in the order of the list. */
export function listedFiles(head: BundleHead): string[] {
  const volumes = head.groups.flatMap(({ data, parity }) => [...data, ...parity])
  return [README_NAME, PREAMBLE_NAME, MANIFEST_NAME, ...volumes.flatMap(({ name }) => [name, trailerName(name)])]
}

/** Where the list is wrong, as the end of a half sentence; undefined if it is right. */
async function wrongIn(file: FoundFile, head: BundleHead, sums: KnownSums): Promise<string | undefined> {
  const text = (await readSmall(file.path, CHECKSUMS_BYTES_MAX))?.toString('latin1')
  if (text === undefined) return ' (it cannot be read)'
  const names = listedFiles(head)
  const lines = text.split('\n')
  const fits = lines.length === names.length + 1 && lines.at(-1) === '' && names.every((name, at) => lines[at]!.slice(128) === `  ${name}`)
  if (!fits) return ''
  const wrong = names.filter((name, at) => {
    const sum = lines[at]!.slice(0, 128)
    return !/^[0-9a-f]{128}$/.test(sum) || sums.get(name)?.has(sum) === false
  })
  if (wrong.length === 0) return undefined
  const more = wrong.length > NAMED_MAX ? ` and ${wrong.length - NAMED_MAX} more` : ''
  return ` (where it speaks of ${wrong.slice(0, NAMED_MAX).join(', ')}${more})`
}
