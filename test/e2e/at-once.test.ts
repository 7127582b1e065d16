/** Two commands on one site at the same moment, by the real command line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holderOfSite } from '../../src/admin/site-lock.ts'
import {
  ACCESS_KEY,
  holdfast,
  holdfastOk,
  holdfastStarted,
  makeSite,
  REGION,
  removeTemporary,
  SECRET_KEY,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'

let home: string
const at = (name: string): string => join(home, name)

beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

async function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly out: string }> {
  let out = ''
  child.stdout?.on('data', (text: Buffer) => {
    out += text.toString()
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out }
}

test('a site that nobody serves and that another command has open says which, and to wait for it', async () => {
  makeSite(at('busy'))
  const holder = at('holder.mjs')
  const siteLock = join(import.meta.dirname, '..', '..', 'src', 'admin', 'site-lock.ts')
  writeFileSync(
    holder,
    `import { lockSite } from ${JSON.stringify(siteLock)}\nawait lockSite(process.argv[4])\nsetInterval(() => 0, 10_000)\n`,
  )
  const slow = spawn(process.execPath, [holder, 'disk', 'scrub', at('busy')])
  while (holderOfSite(at('busy')) !== slow.pid) {
    if (slow.exitCode !== null) throw new Error(`the holder ended with ${slow.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const sentence = `${at('busy')} is in use by another command, "holdfast disk scrub" (process ${slow.pid}): wait for its end and try again.`
  const plain = holdfast('status', at('busy'))
  expect(plain.err).toContain(sentence)
  expect([plain.code, plain.out]).toEqual([5, ''])
  expect(JSON.parse(holdfast('disk', 'status', at('busy'), '--json').out)).toMatchObject({
    error: expect.stringContaining(sentence),
    exit: 5,
  })
  const end = ended(slow)
  slow.kill()
  await end
})

test('one bundle imported twice at once at a served site is applied once, and both commands end with 0', async () => {
  for (const name of ['one', 'two']) makeSite(at(name))
  for (const name of ['one', 'two']) writeFileSync(at(`${name}.identity`), holdfastOk('site', 'identity', at(name)))
  holdfastOk('peer', 'add', at('one'), at('two.identity'), '--name', 'two')
  holdfastOk('peer', 'add', at('two'), at('one.identity'), '--name', 'one')
  const one = await serveSite(at('one'))
  const s3 = new S3Client({
    endpoint: one.endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  })
  await s3.send(new CreateBucketCommand({ Bucket: 'photos' }))
  for (const key of ['a', 'b', 'c']) await s3.send(new PutObjectCommand({ Bucket: 'photos', Key: key, Body: key.repeat(100_000) }))
  s3.destroy()
  holdfastOk('bundle', 'export', at('one'), '--to', 'two', '--out', at('stick'))
  await one.stop()
  const two = await serveSite(at('two'))
  const runs = await Promise.all([1, 2].map(() => ended(holdfastStarted('bundle', 'import', at('two'), at('stick'), '--json'))))
  expect(runs.map(({ code }) => code)).toEqual([0, 0])
  const reports = runs.map(({ out }) => JSON.parse(out) as { readonly applied: number; readonly firstAppliedMs: number | null })
  expect(reports.map(({ applied }) => applied).sort()).toEqual([0, 4])
  expect(reports.find(({ applied }) => applied === 0)?.firstAppliedMs).toEqual(expect.any(Number))
  await two.stop()
})
