/** "holdfast disk SITE status": the site comes first in the mind of whoever types, and behind the command in ours. */
import type { Command } from 'commander'

/** Has this command and all below it say where a command belongs that comes too late. */
export function explainOrder(command: Command): void {
  if (command.commands.length === 0) return
  command.on('command:*', (operands: readonly string[]) => {
    const meant = inOrder(command, operands)
    if (meant === undefined) return (command as Command & { unknownCommand(): void }).unknownCommand()
    command.error(`error: unknown command '${operands[0]}': the command comes first: ${meant}`, { code: 'commander.unknownCommand' })
  })
  for (const each of command.commands) explainOrder(each)
}

/** Undefined if no operand is a command. */
function inOrder(command: Command, operands: readonly string[]): string | undefined {
  const at = operands.findIndex((operand) => findCommand(command, operand) !== undefined)
  const found = findCommand(command, operands[at])
  if (found === undefined) return undefined
  const words = findCommand(found, operands[at + 1]) === undefined ? 1 : 2
  const before = command.parent === null ? [command.name()] : [command.parent.name(), command.name()]
  return [...before, ...operands.slice(at, at + words), ...operands.slice(0, at), ...operands.slice(at + words)].join(' ')
}

const findCommand = (command: Command, name: string | undefined): Command | undefined =>
  command.commands.find((each) => each.name() === name)
