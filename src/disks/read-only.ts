/** Why a pool may not be written, in parts: whoever tells an operator makes the sentence that fits where it is told. */

/** Plain values, sent between threads. */
export type ReadOnly = {
  /** What is wrong, in whole sentences; the disks are named. */
  readonly wrong: string
  readonly remedy: Remedy
}

export type Remedy =
  /** These have to come back: nothing else helps. */
  | { readonly kind: 'return'; readonly disks: readonly string[] }
  /** These come back, or what only they held is given up. None: nobody knows which. */
  | { readonly kind: 'return-or-give-up'; readonly disks: readonly string[] }
  /** What is wrong says it already. */
  | { readonly kind: 'said' }

/** Of a site that is served, read-only. */
export const describeReadOnly = ({ wrong, remedy }: ReadOnly): string => sentences(wrong, describeRemedy(remedy))

/** Of a site that cannot be opened: no command reaches it, nor does it go on by itself. */
export const describeUnopened = ({ wrong, remedy }: ReadOnly): string => sentences(wrong, remedyUnopened(remedy))

/** On a line that says nothing else, as in a log. */
export const announceReadOnly = (readOnly: ReadOnly): string => `The site is read-only. ${describeReadOnly(readOnly)}`

/** Disks that others may have gone on without are named in one command: to give up one of them alone would decide nothing. */
export function describeRemedy(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'return':
      return `Bring back ${joinWords(remedy.disks)}. It goes on by itself then, at the latest after a restart.`
    case 'return-or-give-up':
      return remedy.disks.length === 0
        ? `Bring them back. Or, if they are lost for good, ${GIVE_UP}`
        : `Bring them back: it goes on by itself then. Or, if they are lost for good, run \`holdfast disk retire SITE ${remedy.disks.join(' ')}\`, or ${GIVE_UP}`
    case 'said':
      return ''
  }
}

function remedyUnopened(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'return':
      return `Bring back ${joinWords(remedy.disks)} and start again.`
    case 'return-or-give-up':
      return `Bring them back and start again. Or, if they are lost for good, ${GIVE_UP}`
    case 'said':
      return ''
  }
}

const GIVE_UP = 'start with --accept-older: what only they held is lost then.'

const sentences = (...all: readonly string[]): string => all.filter((sentence) => sentence !== '').join(' ')

/** "a", "a and b", "a, b and c". */
export function joinWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`
}
