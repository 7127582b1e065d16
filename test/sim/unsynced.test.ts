/** What the kernel shows of a disk is not what the disk has: after a failed sync, and after a process that ended before its own. */
import { expect, test } from 'vitest'
import { Case } from './case.ts'

const HEALED = 'in in in in'

/** Everything is there on the second disk and one other, after the power of all failed. */
async function checkOnSecond(site: Case, label: string): Promise<void> {
  for (const lost of [
    [0, 2],
    [0, 3],
    [2, 3],
  ]) {
    const copy = site.enclave.copy(lost, 'with-index')
    copy.world.powerCut()
    await copy.restart()
    await site.check(`${label}, without ${lost.join(' and ')}`, copy)
  }
}

test('bytes whose sync failed are written again before they count, though the kernel shows them and syncs them well when asked again', async () => {
  let putOut = 0
  for (let seed = 70; seed < 76; seed++) {
    const site = await Case.of(seed, 4, 2)
    const { enclave } = site
    let isPutOut = false
    enclave.engine.pool.onChange(() => {
      isPutOut ||= enclave.states !== HEALED
    })
    const working = site.work(40)
    for (let i = 0; i < 5; i++) {
      await enclave.world.sleep(enclave.world.chance.below(60))
      enclave.disk(1).failNextSync()
    }
    await working
    enclave.disk(1).resume()
    if (isPutOut) putOut += 1
    await enclave.world.sleep(2500)
    enclave.engine.healing.look()
    await enclave.until(() => enclave.states === HEALED, 'healed')
    await enclave.run(enclave.engine.healing.idle())
    await checkOnSecond(site, `seed ${seed}`)
  }
  expect(putOut).toBeGreaterThan(3)
})

test('what a process wrote onto a new disk and did not sync before it was killed is not believed by the next one', async () => {
  const site = await Case.of(87, 4, 2)
  const { enclave } = site
  await site.work(6)
  expect(
    enclave
      .disk(0)
      .files()
      .some((file) => file.startsWith('extents/')),
  ).toBe(true)
  enclave.disk(1).deleteDirectory()
  await enclave.until(() => enclave.states === 'in out in in', 'put out')
  enclave.disk(1).replaceByEmpty()
  expect((await enclave.run(enclave.engine.pool.replaceDisk(0, 1, enclave.disk(1).reopen()))).ok).toBe(true)
  enclave.die('kill')
  site.model.release()
  // The process that fills the disk is killed at each moment from when it has the journal.
  for (let events = 80, isFilled = false; !isFilled; events += 1) {
    const next = enclave.copy([], 'with-index')
    await next.restart()
    next.world.dieAfter(events, 'kill')
    const ended = await next.until(() => next.states === HEALED, 'healed').catch((error: unknown) => error)
    isFilled = ended === undefined
    next.world.live()
    next.die('kill')
    await next.restart()
    await next.until(() => next.states === HEALED, 'healed after all')
    await checkOnSecond(Case.at(next, site.model, site.buckets), `killed after ${events} events`)
  }
})
