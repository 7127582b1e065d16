import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initSite, openLocalSite } from '../src/store/local/open-site.ts'

const clock = {
  nowMs: () => Date.now(),
  timer: (ms, then) => {
    const t = setTimeout(then, ms)
    return () => clearTimeout(t)
  },
}
const random = { bytes: (n) => new Uint8Array(randomBytes(n)) }
const folder = mkdtempSync(join(tmpdir(), 'hf-bench-'))
const siteDirectory = join(folder, 'site')
const must = (r) => {
  if (!r.ok) throw new Error(JSON.stringify(r.error))
  return r.value
}
must(
  await initSite({
    siteDirectory,
    diskDirectories: [0, 1, 2, 3].map((i) => join(folder, `d${i}`)),
    name: 't',
    site: 'b'.repeat(32),
    clock,
    random,
  }),
)
const site = must(await openLocalSite({ siteDirectory, clock, random }))
const { store } = site.engine
const bucket = must(await store.createBucket({ name: 'bench', owner: 'f'.repeat(64) }))
const cpu = () => {
  const u = process.cpuUsage()
  return (u.user + u.system) / 1e6
}
const body = new Uint8Array(4096).fill(7)
const attributes = {
  etag: 'd41d8cd98f00b204e9800998ecf8427e',
  headers: { contentType: 'application/octet-stream' },
  userMetadata: [],
  tags: [],
}
async function round(n, concurrency, label) {
  let next = 0
  const c = cpu(),
    t = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < n) {
        const i = next++
        const w = store.stage(4096)
        w.write(body.slice())
        const staged = must(await w.finish())
        must(
          await store.putObject({ bucketId: bucket.id, key: `some/key/${i % 1000}/${i}`, attributes, content: { kind: 'staged', staged } }),
        )
      }
    }),
  )
  console.log(label, 'puts/s', ((n / (performance.now() - t)) * 1e3).toFixed(0), 'puts per CPU-second', (n / (cpu() - c)).toFixed(0))
}
await round(2000, 16, 'warm')
if (process.argv[2] !== 'noprof') await round(10000, 16, 'c16')
await round(20000, 64, 'c64')
{
  const c = cpu()
  const n = 20000
  for (let i = 0; i < n; i++) await store.findVersion(bucket.id, `some/key/${i % 1000}/${i % 20000}`, undefined)
  console.log('findVersion µs', (((cpu() - c) / n) * 1e6).toFixed(1))
}
{
  const c = cpu()
  const n = 100
  for (let i = 0; i < n; i++) await store.listObjects({ bucketId: bucket.id, prefix: '', delimiter: '', after: `some/key/${i}`, max: 1000 })
  console.log('list 1000 ms', (((cpu() - c) / n) * 1e3).toFixed(2))
}
{
  const c = cpu()
  const n = 100
  for (let i = 0; i < n; i++) await store.listObjects({ bucketId: bucket.id, prefix: 'some/key/', delimiter: '/', after: '', max: 1000 })
  console.log('list delimiter 1000 prefixes ms', (((cpu() - c) / n) * 1e3).toFixed(2))
}
{
  const v = await store.findVersion(bucket.id, 'some/key/1/1', undefined)
  const c = cpu()
  const n = 20000
  for (let i = 0; i < n; i++) {
    const l = store.lease()
    const r = store.read(v, 0, 4096)
    await r.read()
    await r.read()
    r.close()
    l.release()
  }
  console.log('read cached µs', (((cpu() - c) / n) * 1e6).toFixed(1))
}
await site.close()
rmSync(folder, { recursive: true })
