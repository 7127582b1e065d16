/** Commands reach a server whatever becomes of the file of its admin socket. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdfast, makeSite, removeTemporary, serveSite, temporaryDirectory } from '../served-site.ts'

let home: string
beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

test('a server whose admin socket was removed makes it again, and leaves none behind at its end', async () => {
  makeSite(join(home, 'site'))
  const site = await serveSite(join(home, 'site'))
  const socket = join(home, 'site', 'admin.sock')
  for (const _ of [1, 2]) {
    rmSync(socket)
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(JSON.parse(holdfast('status', join(home, 'site'), '--json').out)).toMatchObject({ state: 'healthy' })
  }
  expect(await site.stop()).toBe(0)
  expect(existsSync(socket)).toBe(false)
})
