/** What a bucket may be called. Source: Amazon S3 User Guide, "General purpose bucket naming rules". */
import type { BucketName } from '../store/terms.ts'

const SHAPE = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/
const RESERVED_STARTS = ['xn--', 'sthree-', 'amzn-s3-demo-']
const RESERVED_ENDS = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3']

/** Undefined if `text` breaks the rules. */
export function parseBucketName(text: string): BucketName | undefined {
  if (!SHAPE.test(text) || text.includes('..') || ADDRESS.test(text)) return undefined
  if (RESERVED_STARTS.some((start) => text.startsWith(start)) || RESERVED_ENDS.some((end) => text.endsWith(end))) return undefined
  return text as BucketName
}
