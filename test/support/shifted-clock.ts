import { shiftClock } from './clock.js'

// Makes the clock of a process wrong from its beginning: `node --import shifted-clock.ts?ms=3600000`, an hour ahead.
const offset = Number(new URL(import.meta.url).searchParams.get('ms'))
if (!Number.isSafeInteger(offset))
  throw new Error('shifted-clock.ts?ms=… needs a whole number of milliseconds.')
shiftClock(offset)
