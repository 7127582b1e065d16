import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { absolute, CommandEnd, end, type MakeCli } from './cli.ts'

type ServeFlags = {
  listen: string
  http?: string
  threads?: string
  region: string
  domain?: string[]
  tlsCert?: string
  tlsKey?: string
  acceptOlder?: boolean
}

export function addServeCommand(program: Command, makeCli: MakeCli): void {
  program
    .command('serve')
    .argument('<SITE>', 'the directory of the site')
    .description('Serve the S3 API until SIGTERM or SIGINT.')
    .option('--listen <HOST:PORT>', 'where to listen', '127.0.0.1:9000')
    .option(
      '--http <ADAPTER>',
      '"uws" (the fast one; without TLS, for Linux x64) or "node" (default: the fast one where it runs, else node)',
    )
    .option('--threads <N>', 'gateway threads (default: one per core)')
    .option('--region <REGION>', 'the region that clients sign for', 'us-east-1')
    .option('--domain <DOMAIN>', 'also answer BUCKET.DOMAIN, once per domain', (value: string, before: string[] | undefined) => [
      ...(before ?? []),
      value,
    ])
    .option('--tls-cert <FILE>', 'certificate chain, PEM; read again on SIGHUP')
    .option('--tls-key <FILE>', 'its private key, PEM')
    .option('--accept-older', 'serve although the disks lack what the site has seen later (what was newer is given up)')
    .option('--json', 'print JSON')
    .action(async (siteArgument: string, flags: ServeFlags, command: Command) => {
      const cli = makeCli(command)
      const listen = parseListen(flags.listen)
      if (listen === undefined) return end(2, `--listen takes HOST:PORT, as in 127.0.0.1:9000; "${flags.listen}" is none.`)
      const tls = flags.tlsCert !== undefined || flags.tlsKey !== undefined
      if (tls && (flags.tlsCert === undefined || flags.tlsKey === undefined)) return end(2, 'TLS needs both --tls-cert and --tls-key.')
      const asked = flags.http
      if (asked !== undefined && asked !== 'uws' && asked !== 'node') return end(2, `--http is "uws" or "node", not "${asked}".`)
      const http = asked ?? (tls ? 'node' : 'fastest')
      if (tls && http === 'uws') return end(2, 'With TLS the node adapter serves: leave out --http, or say --http node.')
      const threads = flags.threads === undefined ? availableParallelism() : Number(flags.threads)
      if (!Number.isInteger(threads) || threads < 1 || threads > 64) return end(2, '--threads is a whole number from 1 to 64.')
      if (!/^[a-z0-9-]{1,64}$/.test(flags.region)) return end(2, `--region "${flags.region}" is not the name of a region.`)
      const domains = [...LOCAL_DOMAINS, ...(flags.domain ?? [])]
      const noDomain = domains.find((domain) => !isDomain(domain))
      if (noDomain !== undefined) {
        return end(2, `--domain takes a DNS name, as in s3.example.org (no scheme, no port, no address); "${noDomain}" is none.`)
      }
      const served = await cli.serve({
        site: absolute(cli, siteArgument),
        ...listen,
        http,
        threads,
        region: flags.region,
        domains,
        ...(flags.tlsCert !== undefined && flags.tlsKey !== undefined
          ? { tls: { certFile: absolute(cli, flags.tlsCert), keyFile: absolute(cli, flags.tlsKey) } }
          : {}),
        acceptOlder: flags.acceptOlder === true,
        announce: (endpoint, adapter) =>
          cli.output.result({ serving: endpoint, http: adapter.kind }, `${endpoint}\nHTTP is served by ${adapter.name}.`),
      })
      if (!served.ok) throw new CommandEnd(served.error)
    })
}

/** Clients that put the bucket into the host name do so with `localhost` as well; what lies below it is this machine (RFC 6761, section 6.3). */
export const LOCAL_DOMAINS: readonly string[] = ['localhost']

/**
 * A name below which buckets can have names. An IP address is none: nothing can be put in front of it.
 * Source: RFC 1123, section 2.1; RFC 1035, section 2.3.4.
 */
export function isDomain(text: string): boolean {
  return text.length <= 253 && isIP(text) === 0 && text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
}

/** "127.0.0.1:9000", "[::1]:9000" or ":9000" (then the host is 127.0.0.1). Undefined if it is none of these. */
export function parseListen(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(.*):(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65535) return undefined
  return { host: (match[1] ?? '').replace(/^\[(.*)\]$/, '$1') || '127.0.0.1', port }
}
