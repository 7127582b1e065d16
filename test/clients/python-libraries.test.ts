import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { mustRun } from './tools.ts'

let home: string
let site: ServedSite

beforeAll(async () => {
  home = temporaryDirectory()
  makeSite(join(home, 'site'))
  site = await serveSite(join(home, 'site'))
})

afterAll(async () => {
  await site?.stop()
  removeTemporary(home)
})

test('boto3 uploads, lists, reads ranges, copies, keeps versions, uploads 300 MB in parts with checksums, and deletes', () => {
  mustRun(home, site.endpoint, 'python3', [join(import.meta.dirname, 'with_boto3.py')])
})

test('pyarrow reads and writes Parquet datasets through its S3 filesystem', () => {
  mustRun(home, site.endpoint, 'python3', [join(import.meta.dirname, 'with_pyarrow.py')])
})
