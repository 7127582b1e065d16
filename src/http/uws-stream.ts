import type { HttpResponse as UwsResponse } from 'uWebSockets.js'
import type { ReplySource } from './exchange.ts'

export interface StreamWatcher {
  /** The client has to take something before more can be sent. */
  stalled(): void
  moved(): void
}

/**
 * Sends the body of a reply as its client takes it: one chunk of the source is held at a time, and what the library could not give to the kernel stays in it.
 * With a known length the library's tryEnd() sends the Content-Length and takes as much as the kernel does; without, write() copies.
 */
export class UwsStream {
  private readonly res: UwsResponse
  private readonly totalBytes: number | undefined
  private readonly writeHead: () => void
  private readonly watcher: StreamWatcher
  private begun = false
  private aborted = false
  private sentBytes = 0
  private rest: Uint8Array | undefined
  /** Where `rest` begins in the body. */
  private restFrom = 0
  private waiter: (() => void) | undefined
  private listening = false

  constructor(res: UwsResponse, totalBytes: number | undefined, writeHead: () => void, watcher: StreamWatcher) {
    this.res = res
    this.totalBytes = totalBytes
    this.writeHead = writeHead
    this.watcher = watcher
  }

  get stalled(): boolean {
    return this.waiter !== undefined
  }

  abort(): void {
    this.aborted = true
    this.wake()
  }

  /** 'short': the connection must be closed. Closes the source, also when the client has gone. */
  async send(source: ReplySource): Promise<'whole' | 'short' | 'aborted'> {
    try {
      return await this.pump(source)
    } catch {
      return this.aborted ? 'aborted' : 'short'
    } finally {
      source.close()
    }
  }

  private async pump(source: ReplySource): Promise<'whole' | 'short' | 'aborted'> {
    const total = this.totalBytes
    for (;;) {
      const chunk = await source.read()
      if (this.aborted) return 'aborted'
      if (chunk === undefined) {
        if (total !== undefined) return 'short'
        this.res.cork(() => {
          this.beginOnce()
          this.res.end()
        })
        return 'whole'
      }
      if (chunk.length === 0) continue
      if (total !== undefined && this.sentBytes + chunk.length > total) return 'short'
      this.write(chunk, total)
      if (this.rest !== undefined) await this.writable()
      if (this.aborted) return 'aborted'
      if (this.sentBytes === total) return 'whole'
    }
  }

  private beginOnce(): void {
    if (this.begun) return
    this.begun = true
    this.writeHead()
  }

  private write(chunk: Uint8Array, total: number | undefined): void {
    this.res.cork(() => {
      this.beginOnce()
      const from = this.sentBytes
      this.sentBytes += chunk.length
      // Copied by the library if the client is slow: then it must have been taken before the next chunk comes.
      const taken = total === undefined ? this.res.write(chunk) : this.tryEnd(chunk, total)
      if (taken) return
      this.rest = total === undefined ? new Uint8Array(0) : chunk
      this.restFrom = from
      if (this.listening) return
      this.listening = true
      this.res.onWritable((offset) => this.flush(offset))
    })
  }

  /** False if something of it is left. The last byte taken invalidates `res`. */
  private tryEnd(bytes: Uint8Array, total: number): boolean {
    const [taken, answered] = this.res.tryEnd(bytes, total)
    return taken || answered
  }

  private flush(offset: number): boolean {
    this.watcher.moved()
    const { rest, totalBytes } = this
    if (rest !== undefined) {
      // An empty piece would tell the library that the reply is complete.
      const left = totalBytes === undefined ? rest : rest.subarray(offset - this.restFrom)
      let taken = true
      if (left.length > 0 && totalBytes !== undefined) {
        this.res.cork(() => {
          taken = this.tryEnd(left, totalBytes)
        })
      }
      if (!taken) return false
      this.rest = undefined
    }
    this.wake()
    return true
  }

  private writable(): Promise<void> {
    this.watcher.stalled()
    return new Promise((resolve) => {
      this.waiter = resolve
    })
  }

  private wake(): void {
    const waiter = this.waiter
    this.waiter = undefined
    waiter?.()
  }
}
