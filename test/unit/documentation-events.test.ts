import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { TASK_ENDS } from '../../plugin/jobs/metrics.js'

const PLUGIN = fileURLToPath(new URL('../../plugin/', import.meta.url))
const LEVEL = '(?:\\.(?<fixed>error|warn|info|debug)|\\[level\\])'
const CALL = new RegExp(`logger${LEVEL}\\(\\s*(?:'(?<name>[^']+)'|(?<template>\`[^\`]+\`))`, 'g')
/** Whatever may log: more than `CALL` knows to read. */
const ANY_CALL = /logger\??(?:\.\w+(?:\?\.)?\(|\[\w+\]\()|console\.\w+\(/g
const ROW = /^\| `(?<name>[^`]+)` \| (?<level>error|warn|info|debug) \|/gm
/** An event named in a sentence. Files and options have other names before their dot, or capitals. */
const MENTION = /`(?<name>[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*)`/g

const BAD_ENDS = ['task.retried warn', 'task.failed error']
const GOOD_ENDS = TASK_ENDS.filter((end) => end !== 'retried' && end !== 'failed')
/** What the calls log whose event has its name only at run time. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  'info `task.${end}`': GOOD_ENDS.map((end) => `task.${end} info`),
  '[level] `task.${end}`': BAD_ENDS,
}

describe('the events in OPERATING.md', () => {
  it('are those that the plugin logs, with their levels', async () => {
    const sources = await sourcesIn(PLUGIN)
    const logged = sources.flatMap(eventsIn)
    const listed = eventsListed(await page('OPERATING.md'))
    expect(logged).to.include.members(['job.accepted info', 'doctor.check-failed warn'])
    expect(listed, 'each once').to.deep.equal([...new Set(listed)])
    expect(listed).to.have.members([...new Set(logged)])
  })

  it('are all that the pages speak of', async () => {
    const listed = eventsListed(await page('OPERATING.md')).map((event) => event.split(' ')[0] as string)
    const areas = new Set(listed.map((name) => name.split('.')[0]))
    const pages = await Promise.all(['OPERATING.md', 'SERVICES.md', 'SECURITY.md', '../README.md'].map(page))
    const mentioned = pages
      .flatMap((text) => [...text.matchAll(MENTION)].map(({ groups }) => groups?.['name'] as string))
      .filter((name) => areas.has(name.split('.')[0]))
    expect(mentioned).to.include('job.planned')
    expect(listed).to.include.members(mentioned)
  })
})

/** @throws AssertionError when there is a call that cannot be read */
function eventsIn(source: string): readonly string[] {
  const calls = [...source.matchAll(CALL)]
  const all = [...source.matchAll(ANY_CALL)]
  expect(calls.length, `calls that can be read of ${all.map(([text]) => text).join(', ')}`).to.equal(
    all.length,
  )
  return calls.flatMap(({ groups = {} }) => {
    const { fixed: level = '[level]', name, template } = groups
    if (name !== undefined && level !== '[level]') return [`${name} ${level}`]
    const known = TEMPLATES[`${level} ${template ?? name}`]
    expect(known, `what ${level} ${template ?? name} stands for`).to.be.an('array')
    return known ?? []
  })
}

function eventsListed(text: string): readonly string[] {
  return [...text.matchAll(ROW)].map(({ groups }) => `${groups?.['name']} ${groups?.['level']}`)
}

async function sourcesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true })
  return Promise.all(
    names.filter((name) => name.endsWith('.ts')).map((name) => readFile(join(folder, name), 'utf8')),
  )
}

function page(name: string): Promise<string> {
  return readFile(join(PLUGIN, name), 'utf8')
}
