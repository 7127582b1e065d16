/** Adds an approver's signature to the manifest of a finished bundle: so a release can need more than one site's word. Nothing else of the bundle changes. */
import { createHash } from 'node:crypto'
import type { Result } from '../result.ts'
import { findFiles } from './bundle-files.ts'
import { addSignature, documentBytesMax, parseDocument } from './document.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import { CHECKSUMS_BYTES_MAX, CHECKSUMS_NAME, MANIFEST_NAME, SIGNATURES_MAX } from './format.ts'
import type { PrivateIdentity } from './identity.ts'
import { type OutputFolder, outputFolder } from './media.ts'

/** To be called once the bundle was verified. Signing again changes nothing. Answers in how many folders the manifest lies. */
export function approveBundle(dirs: readonly string[], signer: PrivateIdentity): Promise<Result<number, BundleFault>> {
  return stopped(async () => {
    await findFiles(dirs)
    let found = 0
    for (const dir of new Set(dirs)) {
      const folder = outputFolder(dir)
      const bytes = await folder.readFile(MANIFEST_NAME, documentBytesMax('manifest'))
      if (bytes === undefined) continue
      found += 1
      const parsed = parseDocument('manifest', bytes)
      if (!parsed.ok) throw new Stop('malformed', `The manifest in ${dir} is damaged: copy it again.`)
      if (parsed.value.signatures.some((one) => one.signer === signer.publicIdentity.siteId)) continue
      const signed = addSignature(parsed.value, signer)
      if (signed === undefined) throw new Stop('invalid-input', `A manifest takes at most ${SIGNATURES_MAX} signatures.`)
      await folder.writeFile(MANIFEST_NAME, signed)
      // The list may lie in another of the folders.
      for (const listed of new Set(dirs)) await listAnew(outputFolder(listed), signed)
    }
    return found
  })
}

async function listAnew(folder: OutputFolder, manifest: Uint8Array): Promise<void> {
  const sums = await folder.readFile(CHECKSUMS_NAME, CHECKSUMS_BYTES_MAX)
  if (sums !== undefined) await folder.writeFile(CHECKSUMS_NAME, Buffer.from(withSum(sums.toString(), manifest)))
}

/** The list of checksums with that of the manifest as it is now. */
const withSum = (sums: string, manifest: Uint8Array): string =>
  sums
    .split('\n')
    .map((line) =>
      line.endsWith(`  ${MANIFEST_NAME}`) ? `${createHash('sha512').update(manifest).digest('hex')}  ${MANIFEST_NAME}` : line,
    )
    .join('\n')
