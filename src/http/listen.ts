import { createServer } from 'node:net'
import { fail, ok, type Result } from '../result.ts'

export type HttpServerFault = {
  readonly kind: 'port-taken' | 'port-forbidden' | 'name-unknown' | 'address-unavailable' | 'bad-certificate' | 'uws-unavailable'
  /** In the words of the system or library; of 'bad-certificate' a sentence: what is wrong with which file, and what to do. */
  readonly reason: string
}

/** Source: the error codes of bind(2), and of getaddrinfo(3) as Node names them. */
export function listenFaultOf(error: { readonly code?: string | undefined; readonly message: string }): HttpServerFault {
  const reason = error.message
  if (error.code === 'EADDRINUSE') return { kind: 'port-taken', reason }
  if (error.code === 'EACCES' || error.code === 'EPERM') return { kind: 'port-forbidden', reason }
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return { kind: 'name-unknown', reason }
  return { kind: 'address-unavailable', reason }
}

/**
 * Whether a server alone on `port` could listen there, and for port 0 which port it would be. A listener that shares its port never learns that another
 * program already serves it, so the first one of a process asks here.
 */
export function probePort(host: string, port: number): Promise<Result<number, HttpServerFault>> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(fail(listenFaultOf(error))))
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address()
      const found = address !== null && typeof address === 'object' ? address.port : port
      probe.close(() => resolve(ok(found)))
    })
  })
}
