import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { clientOf } from './site-contents.ts'

/** One site for all tests of a file or a `describe`, with an empty bucket called "bucket". `serving`: options of `holdfast serve`. */
export function oneSite(...serving: string[]): { readonly site: ServedSite; readonly client: S3Client } {
  let home: string
  let site: ServedSite | undefined
  let client: S3Client | undefined
  beforeAll(async () => {
    home = temporaryDirectory()
    makeSite(`${home}/site`)
    site = await serveSite(`${home}/site`, ...serving)
    client = clientOf(site)
    await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  })
  afterAll(async () => {
    client?.destroy()
    await site?.stop()
    removeTemporary(home)
  })
  return {
    get site() {
      return site!
    },
    get client() {
      return client!
    },
  }
}
