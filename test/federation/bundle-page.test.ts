/** The page of a bundle: what it is and what is damaged, for whoever finds the medium; nothing that a sender wrote is more than text there. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { publicIdentityText } from '../../src/bundles/identity.ts'
import { bundlePage } from '../../src/federation/bundle-page.ts'
import { html } from '../../src/federation/html.ts'
import { pageForSite, pageWithoutSite } from '../../src/federation/verify.ts'
import { flip } from '../bundles/bundle-fixture.ts'
import { realClock } from '../store/local/real-environment.ts'
import { newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

let a: TestSite
let b: TestSite
beforeAll(async () => {
  ;({ a, b } = await twoSites())
  await a.make('photos', 'enabled')
  await a.put('photos', 'large', new Uint8Array(3_400_000))
  await a.put('photos', 'secret-name', 'x')
  await a.make('plans')
})

async function bundle(): Promise<string> {
  const out = newPath('bundle')
  value(await a.export(b, out, { parityVolumes: 1 }))
  return out
}

/** What a person sees. */
const textOf = (page: string): string =>
  page
    .replace(/<style>[\s\S]*?<\/style>|<title>.*?<\/title>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ')

test('its recipient sees who made it and when, that it is whole, and what it brings as counts', async () => {
  const page = value(await pageForSite(b.federation, [await bundle()], noProgress))
  expect(page.verdict).toBe('intact')
  const text = textOf(page.html)
  const { fingerprint, siteId } = a.federation.identity.publicIdentity
  for (const said of [
    'Whole, and signed by a known site',
    fingerprint,
    `${siteId} , epoch 1, known here`,
    'photos 4 0',
    'plans 1 0',
    '5 changes 2 buckets 3.40 MB',
  ])
    expect(text).toContain(said)
  expect(text).toMatch(/Made \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC Can be imported until \d{4}-/)
  expect(text).toContain('0 damaged or missing')
  expect(text).not.toContain('secret-name')
})

test('without a key it names no bucket, count or peer; and says when its signer is not known', async () => {
  const dir = await bundle()
  const stranger = value(await pageWithoutSite([dir], undefined, realClock, noProgress))
  const text = textOf(stranger.html)
  expect(text).toContain('Whole, signed by an unknown site')
  expect(text).toContain('Sealed to its recipients')
  for (const name of ['photos', 'plans', 'changes']) expect(text).not.toContain(name)
  const known = await pageWithoutSite([dir], publicIdentityText(a.federation.identity.publicIdentity), realClock, noProgress)
  expect(textOf(value(known).html)).toContain('Whole, and signed by a known site')
})

test('damage is named, and whether parity makes up for it', async () => {
  const dir = await bundle()
  flip(join(dir, 'volume-00002.tar.sealed'), 1000, 1)
  const hurt = value(await pageForSite(b.federation, [dir], noProgress))
  expect(hurt.verdict).toBe('repairable')
  expect(textOf(hurt.html)).toContain('Damaged, and can be repaired in full (1 file)')
  expect(textOf(hurt.html)).toContain('volume-00002.tar.sealed is damaged within bytes 0–1048111. It can be repaired from parity.')
  rmSync(join(dir, 'volume-00001.tar.sealed'))
  const beyond = textOf(value(await pageForSite(b.federation, [dir], noProgress)).html)
  expect(beyond).toContain('Damaged beyond repair')
  expect(beyond).toContain('volume-00001.tar.sealed is missing. It cannot be repaired: ask for it again.')
})

test('the page needs nothing from elsewhere, runs nothing, and shows what a sender wrote as text', async () => {
  const { report, verified } = hostile()
  const page = bundlePage({ report, verified, nowMs: 0 })
  for (const raw of ['<script', '<img', '<b>evil', '\u001b', '\u202e']) expect(page).not.toContain(raw)
  expect(page.match(/<[^>]*>/g)!.join('\n')).not.toMatch(/(src|href|action|srcset)=|\bon[a-z]+=/i)
  expect(page).not.toMatch(/url\(|@import|javascript:|<link/i)
  expect(page).toContain('&#60;script&#62;alert(1)&#60;/script&#62;')
  expect(textOf(page)).toContain('"><img src=x onerror=alert(1)>')
})

const hostile = () => {
  const site = 'a'.repeat(32)
  const name = '<script>alert(1)</script>'
  const report = {
    ...{ bundleId: 'b'.repeat(32), manifestDigest: 'c'.repeat(96), signers: [], createdMs: 0, volumes: 1, parityVolumes: 0, bytes: 10 },
    sender: { site, fingerprint: '"><b>evil', known: false, epoch: 1 },
    marking: '"><img src=x onerror=alert(1)>\u001b\u202e',
    recipients: [site],
    volumeFiles: [{ name: 'volume-00001.tar.sealed', bytes: 10, foundBytes: 10 }],
    statement: {
      ...{ format: 1, origin: `${site}/1`, to: site, full: false, operations: 1, contentBytes: 0, holds: [] },
      buckets: [{ bucket: `1/${site}/1`, name, deleted: false, needs: [], brings: [[1, 1]] }],
    },
  }
  const verified = { verdict: 'intact', exit: 0, damage: [], sentences: [] } as const
  return { report, verified } as const
}

test('a page of ten thousand volumes stays small', () => {
  const { report, verified } = hostile()
  const volumeFiles = Array.from({ length: 10_000 }, (_, i) => ({ name: `volume-${i}`, bytes: 10, foundBytes: i === 7 ? null : 10 }))
  const damage = [{ name: 'volume-7', kind: 'missing', ranges: [], repairable: false, sentence: 'volume-7 is missing.' }] as const
  const page = bundlePage({
    report: { ...report, volumeFiles, volumes: 10_000 },
    verified: { ...verified, verdict: 'damaged', damage },
    nowMs: 0,
  })
  expect(page.length).toBeLessThan(20_000)
  expect(textOf(page)).toContain('volume-7 is missing.')
  expect(textOf(page)).toContain('9,999 more, all as signed, are not listed.')
})

test('what is put into a page is text, however it is put', () => {
  expect(html`<p title="${'"&\''}">${['<', 1, html`<b>${'>'}</b>`, undefined]}</p>`.markup).toBe(
    '<p title="&#34;&#38;&#39;">&#60;1<b>&#62;</b></p>',
  )
})
