import { expect, test } from 'vitest'
import { RECORD_HEADER_BYTES } from '../../../../src/store/local/journal/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../../../src/store/local/journal/segment-header.ts'
import type { NewRecord } from '../../../../src/store/local/journal/terms.ts'
import { SimulatedJournal } from './simulated-journal.ts'

const FIRST = 'journal/00000001'
const record = (text: string, bodyBytes = 0): NewRecord => ({
  kind: 1,
  clock: 1_900_000_000_000_000,
  metadata: new TextEncoder().encode(text),
  body: new Uint8Array(bodyBytes).fill(7),
})

async function site(seed: number, geometry = { disks: 4, parity: 2 }): Promise<SimulatedJournal> {
  const journal = new SimulatedJournal({ seed, ...geometry })
  await journal.open()
  return journal
}

/** Positions of the disks that list the segment as theirs. */
const holdersOf = (journal: SimulatedJournal, file: string): number[] =>
  journal.world.disks.flatMap((disk, position) => (disk.files().includes(file) ? [position] : []))

test('what is appended is read back in order, over many segments and from anywhere', async () => {
  const journal = await site(1)
  for (let i = 0; i < 40; i++) await journal.write(journal.randomBatch())
  expect(journal.journal.segments().length).toBeGreaterThan(3)
  await journal.checkAgainstModel()
  const from = journal.acknowledged.length - 10
  const tail = await journal.entries(journal.journal, from)
  expect(tail.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 11 }, (_, i) => from + i))
})

test('every segment lies on one disk more than may be lost, in turn', async () => {
  const journal = await site(2)
  for (let i = 0; i < 60; i++) await journal.write(journal.randomBatch())
  const used = new Map<string, number>()
  for (const { directories } of journal.journal.segments()) {
    expect(directories.length).toBe(3)
    for (const directory of directories) used.set(directory, (used.get(directory) ?? 0) + 1)
  }
  const shares = [...used.values()]
  expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2)
})

test('a copy that fails in the middle of a batch is put out, and the batch goes whole to a new segment', async () => {
  const journal = await site(3)
  await journal.write([record('a')])
  const [failing] = holdersOf(journal, FIRST)
  journal.disk(failing!).failNextOperation()
  const begun = await journal.world.run(journal.journal.begin())
  if (!begun.ok) throw new Error(begun.error)
  const before = begun.value.add(record('b', 100))
  expect(await journal.world.run(journal.journal.append(begun.value))).toEqual({ ok: false, error: 'moved' })
  expect(journal.pool.states[failing!]).toBe('out')
  const again = await journal.world.run(journal.journal.begin())
  if (!again.ok) throw new Error(again.error)
  const after = again.value.add(record('b', 100))
  expect(after.sequence).toBe(before.sequence)
  expect(after.place!.segment).toBeGreaterThan(before.place!.segment)
  expect(await journal.world.run(journal.journal.append(again.value))).toEqual({ ok: true, value: undefined })
  expect(await journal.world.run(journal.journal.reader.read(after.place!))).toEqual({ ok: true, value: record('b', 100).body })
})

test('a copy that hangs delays the batch by the time limit of disks and no longer', async () => {
  const journal = await site(4)
  await journal.write([record('a')])
  const [hanging] = holdersOf(journal, FIRST)
  const begin = journal.world.nowUs
  journal.disk(hanging!).hang()
  await journal.write([record('b')])
  expect(journal.pool.states[hanging!]).toBe('out')
  expect(journal.world.nowUs - begin).toBeLessThan(5_000_000)
  await journal.checkWithLosses()
})

test('a disk whose directory was deleted gets no new segment', async () => {
  const journal = await site(5)
  await journal.write([record('a')])
  journal.disk(3).deleteDirectory()
  for (let i = 0; i < 20; i++) await journal.write([record(`b${i}`, 3000)])
  expect(journal.pool.states[3]).toBe('out')
  await journal.checkWithLosses()
})

test('a disk whose prepared file was removed is put out when the segment begins', async () => {
  const journal = await site(21)
  await journal.write([record('a')])
  await journal.world.sleep(100)
  const [position] = holdersOf(journal, 'journal/00000002')
  await journal.world.run(journal.disk(position!).remove('journal/00000002'))
  for (let i = 0; i < 10; i++) await journal.write([record(`b${i}`, 3000)])
  expect(journal.pool.states[position!]).toBe('out')
  await journal.checkWithLosses()
})

test('damage in a closed segment ends the reading with a fault, and what lies before can be read', async () => {
  const journal = await site(22)
  for (let i = 0; i < 20; i++) await journal.write([record(`batch ${i}`, 3000)])
  const entries = await journal.entries()
  const { segment, offset, sequence } = entries[5]!.place!
  const file = `journal/${segment.toString(16).padStart(8, '0')}`
  for (const position of holdersOf(journal, file)) journal.disk(position).flipBit(file, offset)
  const read = async (): Promise<unknown[]> => {
    const results: unknown[] = []
    for await (const entry of journal.journal.entries(1, undefined, { bodies: true }))
      results.push(entry.ok ? entry.value.sequence : entry.error)
    return results
  }
  const results = await journal.world.run(read())
  expect(results.slice(0, -1)).toEqual(Array.from({ length: sequence - 1 }, (_, i) => i + 1))
  expect(results.at(-1)).toMatchObject({ kind: 'damaged', segment, sequence })
})

test('with more disks failing than may be lost nothing is acknowledged', async () => {
  const journal = await site(6, { disks: 3, parity: 1 })
  await journal.write([record('a')])
  journal.disk(0).deleteDirectory()
  journal.disk(1).deleteDirectory()
  journal.disk(0).failNextOperation()
  journal.disk(1).failNextOperation()
  journal.disk(2).failNextOperation()
  expect(await journal.world.run(journal.append([record('b')]))).toBe('unavailable')
})

test('bytes behind the end that the next segment states are dead', async () => {
  const journal = await site(7)
  await journal.write([record('kept')])
  const [failing, ...others] = holdersOf(journal, FIRST)
  journal.disk(failing!).failNextOperation()
  const begun = await journal.world.run(journal.journal.begin())
  if (!begun.ok) throw new Error(begun.error)
  begun.value.add(record('never acknowledged'))
  await journal.world.run(journal.journal.append(begun.value))
  expect(Buffer.from(journal.disk(others[0]!).content(FIRST)!).includes('never acknowledged')).toBe(true)
  await journal.write([record('decided anew')])
  await journal.restart()
  const entries = await journal.entries()
  expect(entries.map(({ metadata }) => new TextDecoder().decode(metadata))).toEqual(['kept', 'decided anew'])
})

test('a batch that reached only one copy in part is gone after the restart, and stays gone', async () => {
  const journal = await site(8)
  await journal.write([record('kept')])
  const begun = await journal.world.run(journal.journal.begin())
  if (!begun.ok) throw new Error(begun.error)
  for (let i = 0; i < 5; i++) begun.value.add(record(`torn ${i}`, 2000))
  journal.world.dieAfter(0, 'power-cut')
  await journal.world.run(journal.journal.append(begun.value)).catch(() => {})
  for (const position of holdersOf(journal, FIRST)) {
    const content = journal.disk(position).content(FIRST)!
    content.fill(0, SEGMENT_HEADER_BYTES + 2000)
    journal.disk(position).setContent(FIRST, content)
  }
  journal.reopenDisks()
  await journal.open()
  expect(journal.journal.nextSequence).toBe(2)
  for (const position of holdersOf(journal, FIRST)) {
    const content = journal.disk(position).content(FIRST)!
    expect(content.subarray(SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 8).every((byte) => byte === 0)).toBe(true)
  }
})

test('disks that come back old, fewer than there are copies, take nothing away', async () => {
  const journal = await site(9)
  await journal.write([record('a'), record('b', 500)])
  const holders = holdersOf(journal, FIRST)
  const old = holders.slice(0, 2).map((position) => ({ position, snapshot: journal.disk(position).snapshot() }))
  for (let i = 0; i < 12; i++) await journal.write([record(`c${i}`, 3000)])
  journal.world.kill()
  for (const { position, snapshot } of old) journal.disk(position).restore(snapshot)
  journal.reopenDisks()
  await journal.open()
  await journal.checkAgainstModel()
  expect((await journal.world.run(journal.journal.restoreCopies({ verify: true }, () => {}))).ok).toBe(true)
  await journal.checkWithLosses()
})

test('if all copies came back old the journal refuses, says what is missing, and goes on only when told to', async () => {
  const journal = await site(10)
  await journal.write([record('a')])
  const snapshots = journal.world.disks.map((disk) => disk.snapshot())
  await journal.write([record('b')])
  journal.world.kill()
  for (const [position, snapshot] of snapshots.entries()) journal.disk(position).restore(snapshot)
  journal.reopenDisks()
  const refused = await journal.world.run(journal.tryOpen())
  expect(refused).toEqual({ ok: false, error: { kind: 'sequence-lost', seen: 2, found: 1 } })
  await journal.open({ acceptOlder: true })
  expect(journal.journal.nextSequence).toBe(2)
})

test('an index of another history is found out', async () => {
  const journal = await site(11)
  await journal.write([record('a'), record('b')])
  journal.world.kill()
  journal.reopenDisks()
  const opened = await journal.world.run(journal.tryOpen({ seen: { sequence: 1, chain: '0123456789abcdef' } }))
  expect(opened).toEqual({ ok: false, error: { kind: 'other-history', sequence: 1 } })
})

test('damage before a later batch is refused and nothing is changed', async () => {
  const journal = await site(12)
  for (let i = 0; i < 5; i++) await journal.write([record(`batch ${i}`, 100)])
  journal.world.kill()
  for (const position of holdersOf(journal, FIRST)) journal.disk(position).flipBit(FIRST, SEGMENT_HEADER_BYTES + 30)
  journal.reopenDisks()
  const contents = (): Buffer[] => journal.world.disks.map((disk) => Buffer.from(disk.content(FIRST) ?? []))
  const before = contents()
  const refused = await journal.world.run(journal.tryOpen())
  expect(refused).toEqual({ ok: false, error: { kind: 'damaged', segment: 1, offset: SEGMENT_HEADER_BYTES, sequence: 1 } })
  expect(contents()).toEqual(before)
})

test('damage of different records on different copies is repaired from the others', async () => {
  const journal = await site(13)
  for (let i = 0; i < 5; i++) await journal.write([record(`batch ${i}`, 100)])
  const places = await journal.entries()
  journal.world.kill()
  for (const [index, position] of holdersOf(journal, FIRST).entries()) {
    journal.disk(position).flipBit(FIRST, places[index]!.place!.offset + 5)
  }
  journal.reopenDisks()
  await journal.open()
  await journal.checkWithLosses()
})

test('copies that are each damaged elsewhere mend each other, once a reader or a scrub met the damage', async () => {
  for (const how of ['reader', 'scrub', 'header'] as const) {
    const journal = await site(23)
    for (let i = 0; i < 20; i++) await journal.write([record(`batch ${i}`, 1500)])
    const first = (await journal.entries()).filter(({ place }) => place!.segment === 1)
    for (const [index, position] of holdersOf(journal, FIRST).entries()) {
      journal.disk(position).flipBit(FIRST, first[index]!.place!.offset)
      if (how === 'header' && index < 2) journal.disk(position).flipBit(FIRST, 100)
    }
    if (how === 'header') await journal.restart()
    if (how === 'reader') {
      for (const { place } of [...first, ...first, ...first])
        expect((await journal.world.run(journal.journal.reader.read(place!))).ok).toBe(true)
    }
    const restored = await journal.world.run(journal.journal.restoreCopies({ verify: how !== 'reader' }, () => {}))
    expect(restored).toEqual({ ok: true, value: undefined })
    await journal.checkWithLosses()
  }
})

test('a journal written by a newer software is refused as such', async () => {
  const journal = await site(14)
  await journal.write([record('a')])
  journal.world.kill()
  for (const position of holdersOf(journal, FIRST)) {
    const content = journal.disk(position).content(FIRST)!
    content[8] = 2
    journal.disk(position).setContent(FIRST, content)
  }
  journal.reopenDisks()
  expect(await journal.world.run(journal.tryOpen())).toEqual({ ok: false, error: { kind: 'unknown-version', segment: 1, version: 2 } })
})

test('on full disks what is left of the segment serves small records, and room comes back with space', async () => {
  const journal = await site(15)
  await journal.write([record('a')])
  await journal.world.sleep(100)
  for (const disk of journal.world.disks) disk.fill()
  for (let i = 0; i < 30 && journal.journal.room === 'ample'; i++) await journal.write([record(`b${i}`, 4000)])
  await journal.world.sleep(100)
  expect(journal.journal.room).toBe('reserve')
  for (let i = 0; i < 20; i++) await journal.write([record(`delete ${i}`)])
  for (let i = 0; i < 20; i++) {
    const fault = await journal.world.run(journal.append([record(`c${i}`, 4000)]))
    if (fault === 'full') break
    expect(i).toBeLessThan(19)
  }
  for (const disk of journal.world.disks) disk.setCapacity(1024 ** 3)
  await journal.world.sleep(2000)
  await journal.write([record('d', 4000)])
  await journal.world.sleep(100)
  expect(journal.journal.room).toBe('ample')
  expect(journal.pool.states).toEqual(['in', 'in', 'in', 'in'])
  await journal.restart()
  await journal.checkAgainstModel()
})

test('room that full disks get from outside is found without anything being written', async () => {
  const journal = await site(15)
  await journal.write([record('a')])
  await journal.world.sleep(100)
  for (const disk of journal.world.disks) disk.fill()
  for (let i = 0; i < 30 && journal.journal.room === 'ample'; i++) await journal.write([record(`b${i}`, 4000)])
  await journal.world.sleep(5000)
  expect(journal.journal.room).toBe('reserve')
  for (const disk of journal.world.disks) disk.setCapacity(1024 ** 3)
  await journal.world.sleep(2000)
  expect(journal.journal.room).toBe('ample')
  await journal.write([record('c', 4000)])
  await journal.restart()
  await journal.checkAgainstModel()
})

test('a restart goes on in the same segment, and takes up what was prepared', async () => {
  const journal = await site(16)
  for (let life = 0; life < 6; life++) {
    await journal.write([record(`life ${life}`)])
    await journal.restart(life % 2 === 0 ? 'kill' : 'power-cut')
  }
  expect(journal.journal.segments().length).toBe(1)
  await journal.world.sleep(100)
  for (const disk of journal.world.disks) expect(disk.files().length).toBeLessThanOrEqual(2)
})

test('a replaced disk gets copies until each segment has as many as it should, and progress is told', async () => {
  const journal = await site(17)
  for (let i = 0; i < 30; i++) await journal.write(journal.randomBatch())
  journal.disk(1).deleteDirectory()
  for (let i = 0; i < 10; i++) await journal.write(journal.randomBatch())
  expect(journal.pool.states[1]).toBe('out')
  journal.disk(1).replaceByEmpty()
  journal.disk(1).reopen()
  journal.pool.setState(1, 'healing')
  const told: [number, number][] = []
  const copied = await journal.world.run(journal.journal.copySegments(journal.journalDisk(1), (done, total) => told.push([done, total])))
  expect(copied).toEqual({ ok: true, value: undefined })
  expect(told.at(-1)![0]).toBe(told.at(-1)![1])
  journal.pool.setState(1, 'in')
  for (const { directories } of journal.journal.segments()) expect(directories.length).toBe(3)
  await journal.checkWithLosses()
  await journal.restart()
  await journal.checkWithLosses()
})

test('what a returning disk held of a history of its own is removed before it counts', async () => {
  const journal = await site(18)
  for (let i = 0; i < 10; i++) await journal.write(journal.randomBatch())
  const foreign = journal.disk(2).files()
  const [file] = foreign.filter((name) => name.startsWith('journal/'))
  const content = journal.disk(2).content(file!)!
  journal.pool.setState(2, 'out')
  for (let i = 0; i < 10; i++) await journal.write(journal.randomBatch())
  journal.disk(2).setContent('journal/000000f0', content)
  journal.disk(2).reopen()
  journal.pool.setState(2, 'healing')
  expect((await journal.world.run(journal.journal.copySegments(journal.journalDisk(2), () => {}))).ok).toBe(true)
  expect(journal.disk(2).files()).not.toContain('journal/000000f0')
  journal.pool.setState(2, 'in')
  await journal.restart('power-cut')
  await journal.checkWithLosses()
})

test('after the number of disks grew back, the next batch has as many copies as it should', async () => {
  const journal = await site(19)
  await journal.write([record('a')])
  journal.pool.setState(0, 'out')
  journal.pool.setState(1, 'out')
  await journal.write([record('b')])
  expect(journal.journal.segments().at(-1)!.directories.length).toBe(2)
  for (const position of [0, 1]) {
    journal.disk(position).reopen()
    journal.pool.setState(position, 'healing')
    expect((await journal.world.run(journal.journal.copySegments(journal.journalDisk(position), () => {}))).ok).toBe(true)
    journal.pool.setState(position, 'in')
  }
  await journal.write([record('c')])
  for (const { directories } of journal.journal.segments()) expect(directories.length).toBe(3)
  await journal.checkWithLosses()
})

test('batches from several callers wait for each other', async () => {
  const journal = await site(20)
  const one = journal.world.run(journal.journal.begin())
  const first = await one
  if (!first.ok) throw new Error(first.error)
  const second = journal.journal.begin()
  first.value.add(record('first'))
  await journal.world.run(journal.journal.append(first.value))
  const next = await journal.world.run(second)
  expect(next.ok && next.value.firstSequence).toBe(2)
})
