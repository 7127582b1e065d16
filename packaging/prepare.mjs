// Installs what is missing, builds what has changed, and prints two lines: the Node.js to run, and the file for it to run (packaging/holdfast does).
// Plain JavaScript: any Node ≥ 20 runs it.
import { programFile } from './built.mjs'
import { ensureInstalled, runtime } from './install.mjs'

ensureInstalled()
console.log(`${runtime()}\n${await programFile()}`)
