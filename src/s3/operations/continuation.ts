/**
 * Continuation tokens: opaque to clients, the place to go on after for us. A version digit, then base64url of the UTF-8 name.
 * A token of ours that was cut or altered is refused where that can be seen; an altered name is only another place to begin.
 */
import { type S3Failure, s3Failure } from '../errors.ts'

const VERSION = '1'

export const toToken = (last: string): string => VERSION + Buffer.from(last, 'utf8').toString('base64url')

/** Undefined for what is no token. */
export function fromToken(token: string): string | undefined {
  if (!/^1[A-Za-z0-9_-]+$/.test(token)) return undefined
  const name = Buffer.from(token.slice(1), 'base64url').toString('utf8')
  return toToken(name) === token ? name : undefined
}

/** Amazon names the argument, and not its value. */
export const WRONG_TOKEN: S3Failure = s3Failure('InvalidArgument', {
  message: 'The continuation token provided is incorrect',
  elements: { ArgumentName: 'continuation-token' },
})
