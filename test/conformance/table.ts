/** What a row asks for. `ours` is not in the guide: the server holds itself to it. */
export interface Duty {
  readonly level: 'SHALL' | 'SHALL NOT' | 'SHALL if offered' | 'SHOULD' | 'SHOULD NOT' | 'MAY' | 'ours'
  /** The versions of the guide that have it, such as `2+`; SMART when it comes from there. */
  readonly versions: string
  readonly requirement: string
  /** Why no test proves it. */
  readonly reason?: string
}

/** Duties by the ids of their rows. */
export type Duties = Readonly<Record<string, Duty>>

/** A row of the table: `KO-01` and so on. */
export interface Row extends Duty {
  readonly id: string
}

/** A test as the run left it. */
export interface RunTest {
  /** Relative to the project, with slashes. */
  readonly file: string
  /** From the outermost suite to the test itself. */
  readonly titles: readonly string[]
  /** `undefined`: it did not run. */
  readonly state: 'passed' | 'failed' | 'pending' | undefined
}

/** A test, or a suite, that names rows in its title. */
interface Proof {
  readonly file: string
  readonly title: string
  readonly ids: readonly string[]
  readonly holds: boolean
}

const SECTIONS = {
  KO: 'Kick-off',
  QP: 'Parameters',
  ST: 'Status',
  MF: 'Manifest',
  FL: 'Files',
  DL: 'Delete',
  GR: 'Groups',
  ERR: 'Errors',
  EE: 'Empty exports',
  OR: 'Order and size',
  AU: 'Authorisation',
}
const TAG = /\s*\[((?:[A-Z]+-\d+[ ,]*)+)\]/g
/** So many proofs of a row are listed. */
const SHOWN = 3

const INTRODUCTION = `# Conformance

What the [Bulk Data Access guide](https://hl7.org/fhir/uv/bulkdata/) asks of a server, and the tests that prove it here.
\`npm test\` writes this file from the titles of the tests that have passed; do not edit it.

**Level** is that of the guide; \`SHALL if offered\` binds servers that have the feature. A row with
\`MAY\` is free, one with \`ours\` is not in the guide; both are here only as far as tests prove them. **Guide** are the
versions that have the row: 1 (STU 1), 2 (STU 2), 3 (STU 3), 4 (the ballot of STU 4); SMART is SMART App Launch.
`

/** A run is full when every test of every file had its turn: nothing was picked, and nothing broke it off. */
export function isFullRun(tests: readonly RunTest[], files: readonly string[]): boolean {
  const loaded = new Set(tests.map(({ file }) => file))
  return tests.every(({ state }) => state !== undefined) && files.every((file) => loaded.has(file))
}

/** Everything that is wrong between rows and tests, a line each. */
export function findingsOf(rows: readonly Row[], tests: readonly RunTest[]): readonly string[] {
  const proofs = proofsIn(tests)
  const known = new Set(rows.map(({ id }) => id))
  const unknown = proofs.flatMap(({ ids, ...proof }) =>
    ids
      .filter((id) => !known.has(id))
      .map((id) => `${id}: there is no such row, but ${shown(proof)} names it`),
  )
  const ofRows = [...rows].sort(byPlace).flatMap(({ id, level, reason }) => {
    const [proof] = proofs.filter(({ ids, holds }) => holds && ids.includes(id))
    if (proof !== undefined && reason !== undefined) {
      return [`${id}: there is a reason why no test proves it, but ${shown(proof)} does`]
    }
    const isOpen = proof === undefined && reason === undefined && level !== 'MAY' && level !== 'ours'
    return isOpen ? [`${id}: no test that passed names it, and there is no reason why not`] : []
  })
  return [...ofRows, ...unknown]
}

/** The table as Markdown. Rows that bind nobody and that nothing proves are left out. */
export function tableOf(rows: readonly Row[], tests: readonly RunTest[]): string {
  const proofs = proofsIn(tests).filter(({ holds }) => holds)
  const lines = Object.entries(SECTIONS).map(([section, heading]) => {
    const own = rows.filter(({ id }) => sectionOf(id) === section).sort(byPlace)
    const cells = own.flatMap(({ id, level, versions, requirement, reason }) => {
      const proved = proofs.filter(({ ids }) => ids.includes(id))
      const isFree = level === 'MAY' || level === 'ours'
      if (isFree && proved.length === 0 && reason === undefined) return []
      const last = proved.length > 0 ? provedBy(proved) : escaped(reason ?? 'nothing yet')
      return [`| ${id} | ${level} | ${versions} | ${escaped(requirement)} | ${last} |`]
    })
    if (cells.length === 0) return ''
    const head = '| Row | Level | Guide | Requirement | Proved by, or why not |\n|---|---|---|---|---|'
    return ['', `## ${heading}`, '', head, ...cells, ''].join('\n')
  })
  return INTRODUCTION + lines.join('')
}

/** A title that names rows, of a suite as of a test, proves them when all tests below it have passed. */
function proofsIn(tests: readonly RunTest[]): readonly Proof[] {
  const found = new Map<string, Proof>()
  for (const { file, titles, state } of tests) {
    for (const [index, title] of titles.entries()) {
      const ids = idsIn(title)
      if (ids.length === 0) continue
      const path = titles.slice(0, index + 1)
      const key = JSON.stringify([file, ...path])
      const holds = state === 'passed' && (found.get(key)?.holds ?? true)
      found.set(key, { file, title: path.join(' ').replaceAll(TAG, ''), ids, holds })
    }
  }
  return [...found.values()]
}

function idsIn(title: string): readonly string[] {
  return [...title.matchAll(TAG)].flatMap(([, ids = '']) => ids.split(/[ ,]+/).filter((id) => id !== ''))
}

function provedBy(proofs: readonly Proof[]): string {
  const first = proofs.slice(0, SHOWN)
  const files = [...new Set(first.map(({ file }) => file))].map((file) => {
    const titles = first.filter((proof) => proof.file === file).map(({ title }) => escaped(title))
    return [`\`${file}\``, ...titles].join('<br>• ')
  })
  return [...files, ...(proofs.length > SHOWN ? ['and others'] : [])].join('<br>')
}

function shown({ file, title }: Pick<Proof, 'file' | 'title'>): string {
  return `"${title}" in ${file}`
}

/** What Markdown would take for itself, in a cell of a table. */
function escaped(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|]/g, '\\$&').replaceAll(/\s+/g, ' ')
}

function sectionOf(id: string): string {
  return id.split('-')[0] ?? ''
}

function byPlace({ id: a }: Row, { id: b }: Row): number {
  const sections = Object.keys(SECTIONS)
  const numberOf = (id: string) => Number(id.split('-')[1])
  return sections.indexOf(sectionOf(a)) - sections.indexOf(sectionOf(b)) || numberOf(a) - numberOf(b)
}
