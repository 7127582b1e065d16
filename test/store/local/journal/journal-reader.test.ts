import { expect, test } from 'vitest'
import type { Disk, DiskFault } from '../../../../src/disks/disk.ts'
import { JournalReader } from '../../../../src/store/local/journal/reader.ts'
import type { BodyPlace } from '../../../../src/store/local/journal/terms.ts'
import { SimulatedJournal, xxh64 } from './simulated-journal.ts'

type Watched = {
  readonly journal: SimulatedJournal
  readonly reader: JournalReader
  readonly places: readonly BodyPlace[]
  readonly faults: { disk: Disk; fault: DiskFault }[]
  readonly badCopies: { disk: Disk; segment: number }[]
}

async function watched(seed: number, batches = 6): Promise<Watched> {
  const journal = new SimulatedJournal({ seed, disks: 4, parity: 2 })
  await journal.open()
  for (let i = 0; i < batches; i++) {
    await journal.write([{ kind: 1, clock: i, metadata: new Uint8Array(8), body: new Uint8Array(3000).fill(i + 1) }])
  }
  // Nothing else is under way.
  await journal.world.sleep(1000)
  const faults: Watched['faults'] = []
  const badCopies: Watched['badCopies'] = []
  const reader = new JournalReader({
    disks: () => journal.world.disks,
    reportFault: (disk, fault) => faults.push({ disk, fault }),
    reportBadCopy: (disk, segment) => badCopies.push({ disk, segment }),
    xxh64,
  })
  const places = (await journal.entries()).map(({ place }) => place!)
  return { journal, reader, places, faults, badCopies }
}

const fileOf = ({ segment }: BodyPlace): string => `journal/${segment.toString(16).padStart(8, '0')}`

test('a body is read from any copy, also many at once and more segments than are kept open', async () => {
  const { journal, reader, places, faults, badCopies } = await watched(1, 450)
  expect(new Set(places.map(({ segment }) => segment)).size).toBeGreaterThan(64)
  for (let round = 0; round < 3; round++) {
    const read = await journal.world.run(Promise.all(places.map((place) => reader.read(place))))
    for (const [index, body] of read.entries()) expect(body).toEqual({ ok: true, value: new Uint8Array(3000).fill((index + 1) & 255) })
  }
  expect([faults, badCopies]).toEqual([[], []])
})

test('a copy with bad bytes is passed over and named', async () => {
  const { journal, reader, places, badCopies } = await watched(2)
  const place = places[2]!
  const holders = journal.world.disks.filter((disk) => disk.files().includes(fileOf(place)))
  holders[0]!.flipBit(fileOf(place), place.offset + 10)
  holders[1]!.flipBit(fileOf(place), place.offset + 2000)
  for (let i = 0; i < 4; i++) expect((await journal.world.run(reader.read(place))).ok).toBe(true)
  expect(new Set(badCopies.map(({ disk }) => disk))).toEqual(new Set(holders.slice(0, 2)))
})

test('if no copy is good the body is damaged', async () => {
  const { journal, reader, places } = await watched(3)
  const place = places[0]!
  for (const disk of journal.world.disks) if (disk.files().includes(fileOf(place))) disk.flipBit(fileOf(place), place.offset)
  expect(await journal.world.run(reader.read(place))).toEqual({ ok: false, error: 'damaged' })
})

test('a failed disk is reported and the next one asked; without enough disks the body may come back', async () => {
  const { journal, reader, places, faults } = await watched(4)
  const place = places[0]!
  const holders = journal.world.disks.filter((disk) => disk.files().includes(fileOf(place)))
  holders[0]!.hang()
  for (let i = 0; i < 4; i++) expect((await journal.world.run(reader.read(place))).ok).toBe(true)
  expect(faults[0]).toEqual({ disk: holders[0], fault: 'timeout' })
  for (const disk of holders) disk.hang()
  expect(await journal.world.run(reader.read(place))).toEqual({ ok: false, error: 'too-few-disks' })
})

test('a copy that was made after the reader had looked is found when it is needed', async () => {
  const { journal, reader, places } = await watched(5)
  const place = places[0]!
  const [without] = journal.world.disks.filter((disk) => !disk.files().includes(fileOf(place)))
  const holders = journal.world.disks.filter((disk) => disk.files().includes(fileOf(place)))
  for (let i = 0; i < 4; i++) await journal.world.run(reader.read(place))
  without!.setContent(fileOf(place), holders[0]!.content(fileOf(place))!)
  for (const disk of holders) disk.flipBit(fileOf(place), place.offset)
  expect((await journal.world.run(reader.read(place))).ok).toBe(true)
})
