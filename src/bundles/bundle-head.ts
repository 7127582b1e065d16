/**
 * Preamble and manifest of a bundle: who vouches for it, and which volumes it has. A body is parsed after its signature verified; only of a signer whom we do not know
 * the identity is read before, to name its fingerprint and to tell a sound bundle of a stranger from a broken one.
 */
import { type BundleFiles, findFiles, missingManifest, refuseUnlisted } from './bundle-files.ts'
import { type DocumentFault, documentBytesMax, parseDocument, type SignedDocument } from './document.ts'
import { type BundleFaultKind, Stop } from './fault.ts'
import { type DocumentKind, documentType, MANIFEST_NAME, PREAMBLE_NAME } from './format.ts'
import type { PublicIdentity } from './identity.ts'
import { type Manifest, namedGroups, readManifest } from './manifest.ts'
import { type FoundFile, readSmall } from './media.ts'
import { type Preamble, readPreamble } from './preamble.ts'
import { type Signers, signersOf, type Trust, verify } from './signature.ts'

export type BundleHead = {
  readonly files: BundleFiles
  readonly preamble: Preamble
  readonly sender: PublicIdentity
  /** Whether we trust the sender; if not, everything is only known to be signed by whoever has these keys. */
  readonly senderKnown: boolean
  readonly manifest: Manifest
  /** Distinct trusted signers of the manifest, the sender among them. */
  readonly signers: Signers
  readonly groups: ReturnType<typeof namedGroups>
}

/** `strangers` 'named': a bundle of a signer whom we do not know is read as far as it is sound. */
export async function loadHead(folders: readonly string[], trust: Trust, strangers: 'refused' | 'named'): Promise<BundleHead> {
  const files = await findFiles(folders)
  const preambles = files.byName.get(PREAMBLE_NAME) ?? []
  const manifests = files.byName.get(MANIFEST_NAME) ?? []
  if (preambles.length === 0) {
    if (manifests.length === 0) throw missingManifest(files)
    throw new Stop('incomplete', 'The preamble is missing: copy the bundle again, with all its files.')
  }
  const { preamble, sender, senderKnown } = await firstGood(preambles, 'preamble', (document) => checkPreamble(document, trust, strangers))
  if (manifests.length === 0) throw missingManifest(files)
  const known: Trust = (site) => (site === sender.siteId ? sender : trust(site))
  const { manifest, signers } = await firstGood(manifests, 'manifest', (document) => checkManifest(document, preamble, known))
  const groups = namedGroups(manifest.groups)
  refuseUnlisted(
    files,
    groups.flatMap(({ data, parity }) => [...data, ...parity]),
  )
  return { files, preamble, sender, senderKnown, manifest, signers, groups }
}

const DOCUMENT_FAULTS: Readonly<Record<DocumentFault, readonly [BundleFaultKind, string]>> = {
  malformed: ['malformed', 'is damaged: it is cut short or is no such document. Copy it again from where the bundle was made'],
  newer: ['newer-format', 'was written by newer software: update Holdfast here'],
  'other-suite': ['unsupported-suite', 'uses a suite of algorithms that this software does not offer'],
}

/** What `check` makes of the first copy that is good. All good copies must say the same; if none is good, the fault of the first one counts. */
async function firstGood<T extends { readonly digest: string }>(
  copies: readonly FoundFile[],
  kind: DocumentKind,
  check: (document: SignedDocument) => T,
): Promise<T> {
  let good: T | undefined
  let fault: Stop | undefined
  for (const copy of copies) {
    try {
      const made = check(await readDocument(copy, kind))
      if (good !== undefined && good.digest !== made.digest)
        throw new Stop('two-bundles', 'These folders hold parts of more than one bundle: name the folders of one bundle only.')
      good ??= made
    } catch (error) {
      if (!(error instanceof Stop) || error.fault.kind === 'two-bundles') throw error
      fault ??= error
    }
  }
  if (good === undefined) throw fault!
  return good
}

async function readDocument(file: FoundFile, kind: DocumentKind): Promise<SignedDocument> {
  const bytesMax = documentBytesMax(kind)
  if (file.bytes > bytesMax) throw new Stop('oversized', `The ${kind} is longer than any ${kind} can be.`)
  const bytes = await readSmall(file.path, bytesMax)
  if (bytes === undefined) throw new Stop('medium-failed', `The ${kind} cannot be read from its medium.`)
  const parsed = parseDocument(kind, bytes)
  const [faultKind, text] = DOCUMENT_FAULTS[parsed.ok ? 'malformed' : parsed.error]
  if (!parsed.ok || parsed.value.rest.length > 0) throw new Stop(faultKind, `The ${kind} ${text}.`)
  return parsed.value
}

function checkPreamble(document: SignedDocument, trust: Trust, strangers: 'refused' | 'named') {
  const tampered = new Stop(
    'bad-signature',
    'The signature of the preamble does not fit it: it was changed after it was signed, or is forged.',
  )
  const [first] = document.signatures
  if (first === undefined || document.signatures.length > 1) throw tampered
  const known = trust(first.signer)
  if (known === 'revoked') throw new Stop('revoked-signer', `This bundle is signed by site ${first.signer}, whose keys were revoked here.`)
  const signed = (by: PublicIdentity): boolean => verify(by, documentType('preamble'), document.body, first.signature)
  if (known !== undefined && !(known.siteId === first.signer && signed(known))) throw tampered
  const preamble = readPreamble(document.body)
  const sender = preamble?.sender.identity
  if (preamble === undefined || sender === undefined || sender.siteId !== first.signer || preamble.bundleId !== document.bundleId)
    throw known === undefined
      ? tampered
      : new Stop('malformed', 'The preamble is signed but malformed: its sender must make the bundle anew.')
  if (known === undefined && !signed(sender)) throw tampered
  if (known !== undefined && known.signing.digest !== sender.signing.digest) throw tampered
  if (known === undefined && strangers === 'refused')
    throw new Stop(
      'unknown-signer',
      `This bundle is signed by an unknown site, fingerprint ${sender.fingerprint}. If you expect it, add that site as a peer first.`,
    )
  return { preamble, sender: known ?? sender, senderKnown: known !== undefined, digest: preamble.digest }
}

function checkManifest(document: SignedDocument, preamble: Preamble, trust: Trust) {
  const sender = preamble.sender.identity.siteId
  const signers = signersOf(documentType('manifest'), document.body, document.signatures, trust)
  if (document.signatures[0]?.signer !== sender)
    throw new Stop(
      'mixed-up',
      `The manifest is signed by site ${document.signatures[0]?.signer}, the preamble by site ${sender}: they are of different bundles.`,
    )
  if (!signers.trusted.includes(sender) || signers.forged.length > 0)
    throw new Stop('bad-signature', 'The signature of the manifest does not fit it: it was changed after it was signed, or is forged.')
  const manifest = readManifest(document.body)
  if (manifest === undefined) throw new Stop('malformed', 'The manifest is signed but malformed: its sender must make the bundle anew.')
  if (manifest.bundleId !== preamble.bundleId || manifest.preamble !== preamble.digest || document.bundleId !== manifest.bundleId)
    throw new Stop(
      'mixed-up',
      `The manifest is that of bundle ${manifest.bundleId}, the preamble that of bundle ${preamble.bundleId}, or of another making of it.`,
    )
  return { manifest, signers, digest: manifest.digest }
}
