/** A start that is refused ends while the threads that it began load their native modules: it must not die of that. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdfastStarted, makeSite, removeTemporary, temporaryDirectory } from '../served-site.ts'

let home: string
beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

test('ends with its sentence and its code, however many start at once', async () => {
  const site = join(home, 'damaged')
  makeSite(site)
  writeFileSync(join(site, 'site.json'), 'damaged')
  for (let round = 0; round < 3; round++) {
    const ends = Array.from({ length: 16 }, async () => {
      const child = holdfastStarted('serve', site, '--listen', '127.0.0.1:0')
      let said = ''
      child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
      return { code, said }
    })
    for (const { code, said } of await Promise.all(ends)) {
      expect(said).toMatch(/^holdfast: [^\n]+\n$/)
      expect(code).toBe(5)
    }
  }
})
