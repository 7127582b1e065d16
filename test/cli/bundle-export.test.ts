/** What `holdfast bundle export` refuses before it looks at a site. */
import { expect, test } from 'vitest'
import type { Cli } from '../../src/cli/cli.ts'
import { buildProgram } from '../../src/cli/program.ts'

const noSite = (): Cli => {
  throw new Error('no site is needed')
}
const flags = ['--to', 'beta', '--out', '/nowhere']
const exported = (...more: string[]): Promise<unknown> => {
  const program = buildProgram(() => ({}) as Cli, { version: '0' })
  return program.parseAsync(['bundle', 'export', 'SITE', ...flags, ...more], { from: 'user' })
}

test.each(['0d', '0s', 'soon', '-1d'])(
  'a bundle that would have expired when it is made, or never said when, is not made: --expires %s',
  async (time) => {
    await expect(exported(`--expires=${time}`)).rejects.toMatchObject({ failure: { exit: 2, sentence: expect.stringContaining(time) } })
  },
)

test('help shows no default where there is none', () => {
  const program = buildProgram(noSite, { version: '0' })
  const bundle = program.commands.find((command) => command.name() === 'bundle')
  for (const command of bundle?.commands ?? []) expect(command.helpInformation()).not.toContain('[]')
})
