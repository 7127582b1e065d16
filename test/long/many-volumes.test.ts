/** A bundle of hundreds of volumes, on several media. */
import { cpSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import { alpha, content, filesOf, NOW, newFolder, randomBytes, trusting, unpacked, written } from '../bundles/bundle-fixture.ts'

test('three hundred volumes are three groups: each makes up for its own loss, on media in any order, some files twice', async () => {
  const body = randomBytes(299.5 * 63_488)
  const bundle = await written([content(body)], { parityVolumes: 1 })
  expect(bundle.summary).toMatchObject({ volumes: 300, parityVolumes: 3 })
  const media = [bundle.folder, newFolder(), newFolder()]
  for (const [at, name] of filesOf(bundle.folder).entries()) {
    if (at % 3 > 0) renameSync(join(bundle.folder, name), join(media[at % 3]!, name))
    if (at % 50 === 0) cpSync(join(media[at % 3]!, name), join(media[(at + 1) % 3]!, name))
  }
  const lost = ['volume-00001.tar.sealed', 'volume-00150.tar.sealed', 'volume-00300.tar.sealed']
  for (const medium of media) for (const name of lost) rmSync(join(medium, name), { force: true })
  const report = await verifyBundle(media.toReversed(), trusting(alpha), { nowMs: NOW })
  expect(report).toMatchObject({ verdict: 'repairable', exit: 3 })
  expect(report.damage.map(({ name }) => name)).toEqual(lost)
  const found = await unpacked([...media, media[0]!])
  expect(Buffer.from(found.entries[0] as Uint8Array).equals(body)).toBe(true)
}, 120_000)
