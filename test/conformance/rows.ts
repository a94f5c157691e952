import { AUTHORIZATION } from './rows/authorization.js'
import { FILES } from './rows/files.js'
import { GROUPS_AND_ERRORS } from './rows/groups-and-errors.js'
import { KICK_OFF } from './rows/kick-off.js'
import { PARAMETERS } from './rows/parameters.js'
import { SELECTION } from './rows/selection.js'
import { STATUS_AND_MANIFEST } from './rows/status-and-manifest.js'
import type { Row } from './table.js'

const PARTS = [KICK_OFF, PARAMETERS, SELECTION, STATUS_AND_MANIFEST, FILES, GROUPS_AND_ERRORS, AUTHORIZATION]

/** What the Bulk Data Access guide asks of a server, and what this project asks of its own besides. */
export const ROWS: readonly Row[] = PARTS.flatMap((part) =>
  Object.entries(part).map(([id, duty]) => ({ id, ...duty })),
)
