import { fail, ok } from '../../result.ts'
import type { AdminCommand } from '../command.ts'
import type { ScrubReport } from '../control.ts'

/** At this rate a disk of 1 TB takes twelve days; a slower scrub finds damage when it is too late. */
const RATE_MIN = 1_000_000

/** Why a disk is not scrubbed at so many bytes a second. */
export const whyTooSlow = (bytesPerSecond: number): string | undefined =>
  bytesPerSecond >= RATE_MIN
    ? undefined
    : `At ${bytesPerSecond} bytes a second a scrub would not end in useful time: give it 1MB or more (then a disk of 1 TB takes twelve days).`

/** `exit`: 0 if everything is as it should be now, 3 if damage remains, 6 if a disk could not be read to the end. */
export type ScrubOutcome = ScrubReport & { readonly exit: 0 | 3 | 6; readonly sentence: string }

/** Reads everything on every disk that is in, and repairs what can be; until it is done, or whoever asked goes away. */
export const diskScrub: AdminCommand<ScrubOutcome> = {
  name: 'disk/scrub',
  async run(site, input, progress, signal) {
    const { bytesPerSecond } = (input ?? {}) as { readonly bytesPerSecond?: unknown }
    if (bytesPerSecond !== undefined && !(Number.isSafeInteger(bytesPerSecond) && Number(bytesPerSecond) > 0)) {
      return fail({ exit: 2, sentence: '"bytesPerSecond" is a whole number above 0.' })
    }
    const tooSlow = bytesPerSecond === undefined ? undefined : whyTooSlow(Number(bytesPerSecond))
    if (tooSlow !== undefined) return fail({ exit: 2, sentence: tooSlow })
    const options = bytesPerSecond === undefined ? {} : { bytesPerSecond: Number(bytesPerSecond) }
    const step = ({ doneBytes, totalBytes }: { readonly doneBytes: number; readonly totalBytes: number }) =>
      progress({ what: 'scrubbing', done: doneBytes, total: totalBytes, unit: 'bytes' })
    const scrubbed = await site.control.scrub(options, step, signal)
    if (!scrubbed.ok) return scrubbed
    return ok({ ...scrubbed.value, ...conclusion(scrubbed.value) })
  },
}

function conclusion(report: ScrubReport): Pick<ScrubOutcome, 'exit' | 'sentence'> {
  const { disks, repaired, remaining } = report
  const named = (state: 'failed' | 'out'): string =>
    disks
      .filter((disk) => disk.state === state)
      .map(({ path }) => path)
      .join(', ')
  const sentences: string[] = []
  if (repaired > 0) sentences.push(`Repaired ${places(repaired)}.`)
  if (remaining > 0) sentences.push(...describeRemaining(report))
  if (named('failed') !== '')
    sentences.push(`${named('failed')} could not be read to the end: see "holdfast disk status", then scrub again.`)
  if (named('out') !== '') sentences.push(`Not read, since out or being filled: ${named('out')}.`)
  const exit = remaining > 0 ? 3 : named('failed') === '' ? 0 : 6
  if (exit === 0) sentences.unshift(repaired === 0 ? 'Nothing is wrong.' : 'Everything is as it should be now.')
  return { exit, sentence: sentences.join(' ') }
}

const places = (count: number): string => `${count} damaged ${count === 1 ? 'place' : 'places'}`

function describeRemaining({ remaining, lost, lostSegments }: ScrubReport): string[] {
  const sentences = [`${places(remaining)} cannot be repaired from the other disks.`]
  const count = lost.named.length + lost.more
  if (count > 0) {
    const what = count === 1 ? '1 version or part is lost' : `${count} versions or parts are lost`
    sentences.push(`${what}: delete what is named, or store it again from another copy.`)
  }
  if (lostSegments.length > 0) {
    sentences.push(
      `The journal lacks records in ${lostSegments.length === 1 ? 'segment' : 'segments'} ${lostSegments.join(', ')}: the index cannot be rebuilt from it, so keep SITE/index safe, and carry the contents to a new site with a bundle.`,
    )
  }
  if (count === 0 && lostSegments.length === 0) sentences.push('Nothing is lost by that yet: bring back the disks that are out.')
  return sentences
}
