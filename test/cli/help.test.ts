/** Help is read on narrow terminals, too. */
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import type { Cli } from '../../src/cli/cli.ts'
import { buildProgram } from '../../src/cli/program.ts'

const noSite = (): Cli => {
  throw new Error('no site is needed')
}

function helpOf(command: Command): string {
  let text = ''
  const writeOut = (piece: string): void => {
    text += piece
  }
  command.configureOutput({ writeOut, getOutHelpWidth: () => 80, getOutHasColors: () => false })
  command.outputHelp()
  return text
}

const within = (command: Command): Command[] => [command, ...command.commands.flatMap(within)]

test('no line of any help is wider than 80 columns', () => {
  const commands = within(buildProgram(noSite, { version: '0' }))
  expect(commands.length).toBeGreaterThan(25)
  const wide = commands.flatMap((command) =>
    helpOf(command)
      .split('\n')
      .filter((line) => line.length > 80)
      .map((line) => `${command.name()}: ${line}`),
  )
  expect(wide).toEqual([])
})

test('what a script needs to know of exit codes is in the help', () => {
  const bundle = buildProgram(noSite, { version: '0' }).commands.find((command) => command.name() === 'bundle')
  const help = (name: string): string => helpOf(bundle!.commands.find((command) => command.name() === name)!).replace(/\s+/g, ' ')
  expect(help('inspect')).toContain('4 if --site or --signer was given and the signer is not trusted')
  expect(help('verify')).toContain('3 if something is damaged')
})
