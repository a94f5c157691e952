import { readFile, writeFile } from 'node:fs/promises'

// node docker/keep-packages.js NAME…
//
// Makes dependencies of devDependencies, in the package.json of the working directory, so that `npm prune --omit=dev`
// leaves them: a library has its peers for development only, a server that is made with it runs on them.

const names = process.argv.slice(2)
const content = JSON.parse(await readFile('package.json', 'utf8'))
const { dependencies, devDependencies } = content
const unknown = names.filter((name) => devDependencies[name] === undefined)
if (unknown.length > 0) throw new Error(`package.json has no devDependencies ${unknown.join(', ')}.`)
for (const name of names) {
  dependencies[name] = devDependencies[name]
  delete devDependencies[name]
}
await writeFile('package.json', `${JSON.stringify(content, undefined, 2)}\n`)
