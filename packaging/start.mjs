// `npm start`: installs what is missing, makes a site if there is none, and serves it.
import { programFile } from './built.mjs'
import { ensureInstalled } from './install.mjs'
import { runHoldfast } from './runtime.mjs'

ensureInstalled()
runHoldfast([await programFile(), 'start'])
