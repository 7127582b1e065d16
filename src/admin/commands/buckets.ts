import type { CompareInput, DigestInput } from '../../federation/bucket-digest.ts'
import { type AdminCommand, stringField } from '../command.ts'
import { asCommand } from './bundles.ts'

/** One number for all that a bucket holds. */
export const bucketDigest: AdminCommand = {
  name: 'bucket/digest',
  async run(site, input, progress) {
    const bucket = stringField(input, 'bucket')
    if (!bucket.ok) return bucket
    const { digestBucket } = await import('../../federation/bucket-digest.ts')
    return asCommand(await digestBucket(site.federation, input as DigestInput, progress))
  },
}

/** The keys in which a bucket differs from what another site wrote of it. */
export const bucketCompare: AdminCommand = {
  name: 'bucket/compare',
  async run(site, input, progress) {
    for (const field of ['bucket', 'file']) {
      const given = stringField(input, field)
      if (!given.ok) return given
    }
    const { compareBucket } = await import('../../federation/bucket-digest.ts')
    return asCommand(await compareBucket(site.federation, input as CompareInput, progress))
  },
}
