/** How help looks: within the width of the terminal (80 columns where there is none). */
import type { AddHelpTextContext, Argument, HelpConfiguration } from 'commander'

const WIDTH = 80

function shownArgument(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

export const HELP: HelpConfiguration = {
  // Names in lists of commands are long; what they do is wrapped beside them all the same.
  minWidthToWrap: 24,
  subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(shownArgument)].join(' '),
}

/** Paragraphs, one a line, for `addHelpText`. */
export const paragraphs =
  (text: string) =>
  ({ command }: AddHelpTextContext): string => {
    const help = command.createHelp()
    const width = command.configureOutput().getOutHelpWidth?.() ?? WIDTH
    const wrapped = text.split('\n').map((paragraph) => help.boxWrap(paragraph, width))
    return `\n${wrapped.join('\n')}`
  }
