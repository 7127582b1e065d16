/** The command line as a whole: `holdfast COMMAND …`. */
import { Command, CommanderError } from 'commander'
import { addBucketCommands } from './bucket.ts'
import { addBundleCommands } from './bundle.ts'
import type { Cli } from './cli.ts'
import { addDiskCommands } from './disk.ts'
import { addInitCommand } from './init.ts'
import { addPeerCommands } from './peer.ts'
import { addServeCommand } from './serve.ts'
import { addSiteCommands } from './site.ts'
import { addStartCommand } from './start.ts'
import { addStatusCommand } from './status.ts'

export { CommanderError }

/** `makeCli` is called once the command is known, with whether it was given --json. */
export function buildProgram(makeCli: (options: { readonly json: boolean }) => Cli, version: string): Command {
  const program = new Command('holdfast')
  program
    .description('An S3-compatible object store for sites that must keep working alone.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(holdfast COMMAND --help says more)')
    .addHelpText('after', EXIT_CODES)
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
  return program
}

const EXIT_CODES = `
Exit codes: 0 done; 2 usage; 3 damaged but repairable; 4 signer not trusted; 5 refused; 6 incomplete.
SITE is the directory that "holdfast init" made. Where it is being served, commands go through its admin socket; else they open it themselves.`
