#!/usr/bin/env node
// `npx holdfast …`: runs the command line under the pinned Node.js. Plain JavaScript: any Node ≥ 20 starts it.
import { programFile } from './built.mjs'
import { ensureInstalled } from './install.mjs'
import { runHoldfast } from './runtime.mjs'

ensureInstalled()
runHoldfast([await programFile(), ...process.argv.slice(2)])
