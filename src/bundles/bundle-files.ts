/** The files of a bundle, in one folder or several. A file may lie in more than one of them: any good copy serves. */
import { Stop } from './fault.ts'
import { CHECKSUMS_NAME, MANIFEST_NAME, PARTIAL_SUFFIX, PREAMBLE_NAME, README_NAME, trailerName } from './format.ts'
import type { NamedVolume } from './manifest.ts'
import { type FoundFile, listed, listFolder, shown } from './media.ts'

export const FOLDERS_MAX = 1_000

export type BundleFiles = { readonly folders: readonly string[]; readonly byName: ReadonlyMap<string, readonly FoundFile[]> }

/** All files of the folders by name, with their copies where several folders have one. Throws Stop. */
export async function findFiles(folders: readonly string[]): Promise<BundleFiles> {
  if (folders.length === 0 || folders.length > FOLDERS_MAX) throw new Stop('invalid-input', `Name 1 to ${FOLDERS_MAX} folders.`)
  const byName = new Map<string, FoundFile[]>()
  for (const folder of new Set(folders))
    for (const file of await listFolder(folder)) {
      const copies = byName.get(file.name)
      if (copies === undefined) byName.set(file.name, [file])
      else copies.push(file)
    }
  return { folders, byName }
}

/** Refuses every file that is not one of `volumes`, their trailers, or a document of the bundle. */
export function refuseUnlisted(files: BundleFiles, volumes: readonly NamedVolume[]): void {
  const known = new Set([README_NAME, CHECKSUMS_NAME, PREAMBLE_NAME, MANIFEST_NAME])
  for (const { name } of volumes) {
    known.add(name)
    known.add(trailerName(name))
  }
  const strange = [...files.byName].filter(([name]) => !known.has(name)).flatMap(([, copies]) => copies.map(({ path }) => shown(path)))
  if (strange.length === 1) throw new Stop('unlisted-file', `${strange[0]} does not belong to this bundle. Move it away, then try again.`)
  if (strange.length > 1)
    throw new Stop('unlisted-file', `These do not belong to this bundle: ${listed(strange.sort())}. Move them away, then try again.`)
}

/** Why there is nothing to read, if the manifest is not there. */
export function missingManifest(files: BundleFiles): Stop {
  const names = [...files.byName.keys()]
  if (names.some((name) => name.endsWith(PARTIAL_SUFFIX)))
    return new Stop('incomplete', 'This bundle was not finished: its export was interrupted. Run the export again to go on.')
  if (names.some((name) => name === PREAMBLE_NAME || /^(?:volume|parity)-/.test(name)))
    return new Stop(
      'incomplete',
      'The manifest is missing, without which nothing can be imported: copy it again, or run the export again if that was not finished.',
    )
  return new Stop('not-a-bundle', `There is no bundle in ${files.folders.map(shown).join(', ')}: name the folders that its files are in.`)
}
