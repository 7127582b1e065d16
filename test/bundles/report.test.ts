import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspectBundle, verifyBundle } from '../../src/bundles/read-bundle.ts'
import { inspectHtml, inspectText, verifyText } from '../../src/bundles/report-text.ts'
import { alpha, bravo, NOW, operations, trusting, written } from './bundle-fixture.ts'

const marking = 'RELEASABLE <b>TO</b> \u001b[31mALL'
const sealed = { buckets: ['<script>alert(1)</script>'] }

test('verify says the verdict first, then what is damaged, then what the bundle is', async () => {
  const { folder, summary } = await written([operations('x')], { parityVolumes: 1 })
  rmSync(join(folder, 'volume-00001.tar.sealed'))
  const lines = verifyText(await verifyBundle([folder], trusting(alpha), { nowMs: NOW })).split('\n')
  expect(lines[0]).toBe(
    `The bundle is damaged but can be repaired in full, signed by site ${alpha.publicIdentity.siteId}, which is known here.`,
  )
  expect(lines[1]).toBe('volume-00001.tar.sealed is missing. It can be repaired from parity.')
  expect(lines).toContain(`Bundle:      ${summary.bundleId}`)
  expect(lines).toContain(`Fingerprint: ${alpha.publicIdentity.fingerprint}`)
})

test('what a sender wrote reaches neither the terminal nor the page as anything but text', async () => {
  const { folder } = await written([operations('x')], { marking, statement: { sealed, needs: null } })
  const report = await inspectBundle([folder], { nowMs: NOW, identity: bravo })
  if (!report.ok) throw new Error(report.error.sentence)
  expect(inspectText(report.value)).not.toContain('\u001b')
  expect(inspectText(report.value)).toContain('RELEASABLE <b>TO</b> ?[31mALL')
  const page = inspectHtml(report.value)
  for (const raw of ['<script', '<b>', '\u001b']) expect(page).not.toContain(raw)
  expect(page).toContain('&#60;script&#62;')
  expect(page).toContain(bravo.publicIdentity.siteId)
})

test('inspect without a key says that the content is sealed, and names what is missing', async () => {
  const { folder } = await written([operations('x')], { statement: { sealed, needs: null } })
  rmSync(join(folder, 'volume-00001.tar.sealed'))
  const report = await inspectBundle([folder], { nowMs: NOW })
  if (!report.ok) throw new Error(report.error.sentence)
  const text = inspectText(report.value)
  expect(text).toContain('volume-00001.tar.sealed is missing')
  expect(text).toContain('sealed to its recipients')
  expect(text).not.toContain('buckets')
})
