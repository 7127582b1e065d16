/** The state that an export begins with: a new one, or a saved one as far as the medium bears it out. */
import type { BundleState } from './bundle-state.ts'
import { parseDocument } from './document.ts'
import { Stop } from './fault.ts'
import * as format from './format.ts'
import type { OutputFolder } from './media.ts'
import { BUNDLE_KEY_BYTES, readPreamble, writePreamble } from './preamble.ts'
import type { WriteBundleInput } from './write-input.ts'

/** Draws id and key. */
export function newState(input: WriteBundleInput): BundleState {
  const bundleId = Buffer.from(input.random.bytes(16)).toString('hex')
  const bundleKey = input.random.bytes(BUNDLE_KEY_BYTES)
  const { signer, epoch, recipients, nowMs, expiresMs, marking } = input
  const preamble = writePreamble({
    ...{ bundleId, bundleKey, signer, epoch, recipients, nowMs },
    needs: input.statement.needs,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(marking === undefined ? {} : { marking }),
  })
  if (!preamble.ok) throw new Stop(preamble.error.kind, preamble.error.sentence)
  return {
    bundleId,
    bundleKey: Buffer.from(bundleKey).toString('base64'),
    preamble: preamble.value.document.toString('base64'),
    receiptKeys: preamble.value.receiptKeys,
    volumeBytes: input.volumeBytes,
    groupVolumes: input.groupVolumes ?? format.GROUP_VOLUMES_DEFAULT,
    parityVolumes: input.parityVolumes,
    volumes: [],
    parity: [],
  }
}

/** The saved state, as far as the medium still bears it out. */
export async function resumedState(input: WriteBundleInput, saved: BundleState, out: OutputFolder): Promise<BundleState> {
  const document = parseDocument('preamble', Buffer.from(saved.preamble, 'base64'))
  const preamble = document.ok ? readPreamble(document.value.body) : undefined
  const sites = (list: readonly string[]): string => [...list].sort().join()
  const same =
    preamble !== undefined &&
    preamble.sender.identity.siteId === input.signer.publicIdentity.siteId &&
    preamble.sender.epoch === input.epoch &&
    sites(preamble.recipients.map(({ site }) => site)) === sites(input.recipients.map(({ siteId }) => siteId)) &&
    JSON.stringify(preamble.needs) === JSON.stringify(input.statement.needs) &&
    saved.volumeBytes === input.volumeBytes &&
    saved.parityVolumes === input.parityVolumes &&
    (input.groupVolumes ?? saved.groupVolumes) === saved.groupVolumes
  if (!same)
    throw new Stop(
      'state-mismatch',
      'The export that was begun here was another one: give the same peer and options again, or use an empty folder.',
    )
  const there = async (name: string, bytes: number): Promise<boolean> =>
    (await out.bytes(name)) === bytes && (await out.bytes(format.trailerName(name))) !== undefined
  let volumes = 0
  while (volumes < saved.volumes.length && (await there(format.volumeName(volumes + 1), saved.volumes[volumes]!.bytes))) volumes++
  if (volumes < saved.volumes.length) return { ...saved, volumes: saved.volumes.slice(0, volumes), parity: [] }
  let groups = 0
  for (const group of saved.parity) {
    for (const [number, { bytes }] of group.entries())
      if (!(await there(format.parityName(groups + 1, number + 1), bytes))) return { ...saved, parity: saved.parity.slice(0, groups) }
    groups++
  }
  return saved
}

/** Whether a file of this name can belong to a bundle under way. */
export const isBundleName = (name: string): boolean =>
  /^(?:README\.txt|preamble|manifest|SHA512SUMS|volume-[0-9]{5}\.(?:tar\.sealed|trailer)|parity-[0-9]{3,}-[0-9]{2}\.(?:rows|trailer))(?:\.partial)?$/.test(
    name,
  )
