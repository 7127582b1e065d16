/** What the kernel shows of a disk is not what the disk has: after a failed sync, and after a process that ended before its own. */
import { expect, test } from 'vitest'
import { Case } from './case.ts'
import { ProcessDied } from './world.ts'

const HEALED = 'in in in in'

/** Everything is there on the second disk and one other, after the power of all failed. */
async function checkOnSecond(site: Case, label: string): Promise<void> {
  await site.endAndStart('power-cut')
  for (const lost of [
    [0, 2],
    [0, 3],
    [2, 3],
  ]) {
    const copy = site.enclave.copy(lost, 'with-index')
    await copy.restart()
    await site.check(`${label}, without ${lost.join(' and ')}`, copy)
  }
}

test('bytes whose sync failed are written again before they count, though the kernel shows them and syncs them well when asked again', async () => {
  let putOut = 0
  for (let seed = 70; seed < 82; seed++) {
    const site = await Case.of(seed, 4, 2)
    const { enclave } = site
    const working = site.work(40)
    for (let i = 0; i < 5; i++) {
      await enclave.world.sleep(enclave.world.chance.below(60))
      enclave.disk(1).failNextSync()
    }
    await working
    enclave.disk(1).resume()
    if (enclave.states !== HEALED) putOut += 1
    await enclave.world.sleep(2500)
    enclave.engine.healing.look()
    await enclave.until(() => enclave.states === HEALED, 'healed')
    await enclave.run(enclave.engine.healing.idle())
    await checkOnSecond(site, `seed ${seed}`)
  }
  expect(putOut).toBeGreaterThan(6)
})

test('what a process wrote onto a new disk and did not sync before it was killed is not believed by the next one', async () => {
  let died = 0
  for (let seed = 82; seed < 106; seed++) {
    const site = await Case.of(seed, 4, 2)
    const { enclave } = site
    await site.work(40)
    enclave.disk(1).deleteDirectory()
    await enclave.until(() => enclave.states === 'in out in in', 'put out')
    enclave.disk(1).replaceByEmpty()
    const replaced = await enclave.run(enclave.engine.pool.replaceDisk(0, 1, enclave.disk(1).reopen()))
    expect(replaced.ok).toBe(true)
    enclave.engine.healing.look()
    enclave.world.dieAfter(100 + enclave.world.chance.below(300), 'kill')
    const ended = await enclave.until(() => enclave.states === HEALED, 'healed').catch((error: unknown) => error)
    enclave.world.live()
    if (ended instanceof ProcessDied) {
      died += 1
      await site.endAndStart('kill')
      await enclave.until(() => enclave.states === HEALED, 'healed after all')
    }
    await checkOnSecond(site, `seed ${seed}`)
  }
  expect(died).toBeGreaterThan(12)
})
