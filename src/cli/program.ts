/** The command line as a whole: `holdfast COMMAND …`. */
import { Command, CommanderError } from 'commander'
import type { CommandFailure } from '../admin/command.ts'
import { addBucketCommands } from './bucket.ts'
import { addBundleCommands } from './bundle.ts'
import type { Cli } from './cli.ts'
import { explainOrder } from './command-order.ts'
import { addDiskCommands } from './disk.ts'
import { HELP, paragraphs } from './help.ts'
import { addInitCommand } from './init.ts'
import { addPeerCommands } from './peer.ts'
import { addServeCommand } from './serve.ts'
import { addSiteCommands } from './site.ts'
import { addStartCommand } from './start.ts'
import { addStatusCommand } from './status.ts'

export { CommanderError }

/** Whether JSON is asked for by arguments that may not be understood otherwise. */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? args.length : end).includes('--json')
}

/** What was not understood, for --json. */
export function usageFailure({ code, message }: CommanderError): CommandFailure {
  const [said = ''] = message.replace(/^error: /, '').split('\n')
  const sentence = code === 'commander.help' ? 'a command is missing' : said.replace(/[.\s]+$/, '')
  return {
    exit: 2,
    sentence: `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}: see "holdfast COMMAND --help".`,
    details: { kind: 'usage' },
  }
}

/**
 * `makeCli` is called once the command is known, with whether it was given --json. `complaints` 'thrown': what is not understood is only thrown (CommanderError),
 * not printed, so that it can be told otherwise.
 */
export function buildProgram(
  makeCli: (options: { readonly json: boolean }) => Cli,
  { version, complaints = 'printed' }: { readonly version: string; readonly complaints?: 'printed' | 'thrown' },
): Command {
  const program = new Command('holdfast')
  // Before any command is added: each takes it from the one above.
  if (complaints === 'thrown') program.configureOutput({ writeErr: () => undefined })
  program
    .description('An S3-compatible object store for sites that must keep working alone.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(holdfast COMMAND --help says more)')
    .configureHelp(HELP)
    .addHelpText('after', paragraphs(EXIT_CODES))
  const cli = (command: Command): Cli => makeCli({ json: command.opts<{ json?: boolean }>().json === true })
  addInitCommand(program, cli)
  addServeCommand(program, cli)
  addStartCommand(program, cli)
  addStatusCommand(program, cli)
  addDiskCommands(program, cli)
  addSiteCommands(program, cli)
  addPeerCommands(program, cli)
  addBundleCommands(program, cli)
  addBucketCommands(program, cli)
  explainOrder(program)
  return program
}

const EXIT_CODES = `Exit codes: 0 done; 1 unforeseen; 2 usage; 3 damaged but repairable; 4 signer not trusted; 5 refused; 6 incomplete.
SITE is the directory that "holdfast init" made. Where it is being served, commands go through its admin socket; else they open it themselves.`
