/**
 * The credential of a Signature Version 4: "AKID/YYYYMMDD/region/s3/aws4_request". Each fault has Amazon's own sentence, which differs only in its
 * first words between the Authorization header and a presigned query.
 * Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
 */
import { ok, type Result } from '../result.ts'
import { type ErrorDetails, type S3Failure, s3Fail } from './errors.ts'

export type CredentialScope = {
  readonly accessKeyId: string /** YYYYMMDD */
  readonly day: string /** "day/region/s3/aws4_request" */
  readonly text: string
}

export type CredentialPlace = 'header' | 'query'

/** A failure of the place where the credential stands. */
export function scopeFail(
  place: CredentialPlace,
  sentence: string,
  details?: ErrorDetails,
): { readonly ok: false; readonly error: S3Failure } {
  return place === 'header'
    ? s3Fail('AuthorizationHeaderMalformed', { ...details, message: `The authorization header is malformed; ${sentence}` })
    : s3Fail('AuthorizationQueryParametersError', { ...details, message: `Error parsing the X-Amz-Credential parameter; ${sentence}` })
}

/** Access key ids have no '/'. */
export function parseCredential(credential: string, place: CredentialPlace, region: string): Result<CredentialScope, S3Failure> {
  const parts = credential.split('/')
  if (parts.length !== 5) {
    return scopeFail(place, 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  }
  const [accessKeyId = '', day = '', givenRegion = '', service = '', terminal = ''] = parts
  if (service !== 's3') return scopeFail(place, `incorrect service "${service}". This endpoint belongs to "s3".`)
  if (terminal !== 'aws4_request') return scopeFail(place, `incorrect terminal "${terminal}". This endpoint uses "aws4_request".`)
  if (!/^\d{8}$/.test(day)) {
    return scopeFail(place, `incorrect date format "${day}". This date in the credential must be in the format "yyyyMMdd".`)
  }
  if (givenRegion !== region) {
    return scopeFail(place, `the region '${givenRegion}' is wrong; expecting '${region}'`, {
      elements: { Region: region },
      headers: [['x-amz-bucket-region', region]],
    })
  }
  return ok({ accessKeyId, day, text: `${day}/${region}/s3/aws4_request` })
}
