/** Why a bundle, an identity or a receipt is refused: a kind for programs, a sentence for people. */
import { fail, ok, type Result } from '../result.ts'

export type BundleFaultKind =
  // What was given is not, or not wholly, a bundle
  | 'not-a-bundle'
  | 'incomplete'
  | 'newer-format'
  | 'unsupported-suite'
  | 'malformed'
  // Media
  | 'unlisted-file'
  | 'not-a-plain-file'
  | 'oversized'
  | 'two-bundles'
  | 'mixed-up'
  | 'damaged'
  | 'medium-full'
  | 'medium-failed'
  | 'out-not-empty'
  // Signatures and trust
  | 'unknown-signer'
  | 'revoked-signer'
  | 'bad-signature'
  | 'too-few-signers'
  | 'suite-refused'
  // Addressing and time
  | 'wrong-recipient'
  | 'key-destroyed'
  | 'retargeted'
  | 'expired'
  // Content
  | 'unsealing-failed'
  | 'wrong-digest'
  // Writing
  | 'source-failed'
  | 'state-mismatch'
  | 'invalid-input'
  | 'aborted'

export type BundleFault = { readonly kind: BundleFaultKind; readonly sentence: string }

export const refuse = (kind: BundleFaultKind, sentence: string): { readonly ok: false; readonly error: BundleFault } =>
  fail({ kind, sentence })

/** Exit code of the command line for a fault. Source: the fixed forms of `holdfast bundle`: 4 signer not trusted, 5 refused, 6 incomplete. */
export function exitCode(kind: BundleFaultKind): 4 | 5 | 6 {
  switch (kind) {
    case 'unknown-signer':
    case 'revoked-signer':
    case 'too-few-signers':
      return 4
    case 'incomplete':
    case 'aborted':
    case 'medium-full':
    case 'medium-failed':
    case 'source-failed':
      return 6
    default:
      return 5
  }
}

/**
 * Carries a fault out of the depths of this folder: rows, volumes and archives are read through several layers of streams, where each would only hand
 * it on. Thrown inside `bundles` only; every exported function catches it and answers a Result.
 */
export class Stop extends Error {
  override readonly name = 'Stop'
  readonly fault: BundleFault

  constructor(kind: BundleFaultKind, sentence: string) {
    super(sentence)
    this.fault = { kind, sentence }
  }
}

/** The outcome of `work` as a value. */
export async function stopped<T>(work: () => Promise<T>): Promise<Result<T, BundleFault>> {
  try {
    return ok(await work())
  } catch (error) {
    if (error instanceof Stop) return fail(error.fault)
    throw error
  }
}
