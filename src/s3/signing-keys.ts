/**
 * The keys of Signature Version 4, derived per day, region and secret and kept: a derivation costs four HMACs.
 * Source: AWS General Reference, "Create a signed AWS API request", derive a signing key.
 */
import { HmacKey } from './hmac.ts'

/** Nine days can be asked for per access key (presigned requests are valid for seven), so this serves a hundred busy keys. */
const KEPT_MAX = 1024

type Kept = { readonly secretAccessKey: string; readonly key: HmacKey }

export class SigningKeys {
  readonly #region: string
  readonly #kept = new Map<string, Kept>()

  constructor(region: string) {
    this.#region = region
  }

  /** `day` as YYYYMMDD. */
  derive(accessKeyId: string, secretAccessKey: string, day: string): HmacKey {
    const name = `${accessKeyId}/${day}`
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.secretAccessKey === secretAccessKey) return kept.key
    const key = deriveSigningKey(secretAccessKey, day, this.#region)
    if (this.#kept.size >= KEPT_MAX) for (const oldest of this.#kept.keys()) if (this.#kept.delete(oldest)) break
    this.#kept.set(name, { secretAccessKey, key })
    return key
  }
}

/** `day`: "20130524". Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header". */
export function deriveSigningKey(secretAccessKey: string, day: string, region: string): HmacKey {
  let key = new HmacKey(Buffer.from(`AWS4${secretAccessKey}`))
  for (const step of [day, region, 's3', 'aws4_request']) key = new HmacKey(key.sign(step, 'buffer'))
  return key
}
