import { expect } from 'chai'
import {
  containerChoice,
  isContainerName,
  isOwnContainer,
  ownContainerOf,
  withinContainer,
} from '../../../plugin/storage/container.js'
import { ContainerError } from '../../../plugin/storage/export-storage.js'

const FOLDER = `20240501T120000Z_${'4f'.repeat(16)}`
const OWN = `20240501t120000z-${'4f'.repeat(16)}`

const GOOD = ['abc', 'a1b', '007', 'a-b', 'a-b-c', 'own', 'exports', 'x'.repeat(63), `a-${'b'.repeat(61)}`]
const BAD = [
  ...['', 'a', 'ab', 'x'.repeat(64), 'x'.repeat(200), 'x'.repeat(100_000), ' ', '   ', 'a b', ' abc', 'abc '],
  ...[
    '.',
    '..',
    '../',
    '../x',
    '..%2fx',
    '%2e%2e',
    '%2e%2e%2f',
    '/abc',
    'abc/',
    'abc/def',
    'abc\\def',
    './abc',
  ],
  ...['Abc', 'ABC', 'aBc', 'a--b', '-ab', 'ab-', '---', 'a.b', 'a_b', '$root', '$web', '$logs', '*', 'a*c'],
  ...[
    'abc\0',
    '\0abc',
    'a\0c',
    'abc\n',
    'abc\nabc',
    '\nabc',
    'äbc',
    'ａｂｃ',
    'abс',
    '日本語',
    '\u{1f600}\u{1f600}',
  ],
  ...['a\u0301bc', 'ab\u200bc', '\ud83dabc', 'a?b', 'a#b', 'a&b', 'a=b', 'a:b', 'a,b', "a'b", 'a"b', '٣٣٣'],
]

describe('the name of a container', () => {
  const choose = containerChoice({})
  for (const name of GOOD) {
    it(`may be ${name.slice(0, 20)}, of ${name.length}`, () => {
      expect(isContainerName(name)).to.equal(true)
      expect(choose(name, FOLDER)).to.equal(name)
    })
  }

  for (const name of BAD) {
    it(`may not be ${JSON.stringify(name.slice(0, 20))}, of ${name.length}, which is told with the rule`, () => {
      expect(isContainerName(name)).to.equal(false)
      const says =
        /^".*" is not the name of a container: that has 3 to 63 lower-case letters, digits and single hyphens/
      expect(() => choose(name, FOLDER)).to.throw(ContainerError, says)
      for (const rest of [{ names: [name] }, { fallback: name }]) {
        expect(() => containerChoice(rest)).to.throw(Error, says)
      }
    })
  }

  it('is told in bearable length', () => {
    expect(() => choose('x'.repeat(100_000), FOLDER))
      .to.throw(ContainerError)
      .with.property('message')
      .that.satisfies((message: string) => message.length < 300)
  })
})

describe('the choice of a container', () => {
  it('is that of the client, as long as it is among the names', () => {
    const choose = containerChoice({ names: ['abc', 'def'], fallback: 'ghi' })
    expect(choose('def', FOLDER)).to.equal('def')
    for (const other of ['ghi', 'abcd', 'constructor', 'length']) {
      expect(() => choose(other, FOLDER)).to.throw(ContainerError, `There is no container "${other}"`)
    }
    expect(() => containerChoice({ names: [] })('abc', FOLDER)).to.throw(ContainerError)
  })

  it('is the fallback without one, or a container for the export alone', () => {
    expect(containerChoice({ names: ['abc'], fallback: 'ghi' })(undefined, FOLDER)).to.equal('ghi')
    expect(containerChoice({ names: ['abc'] })(undefined, FOLDER)).to.equal(OWN)
    expect(containerChoice({})(undefined, FOLDER)).to.equal(OWN)
  })

  it('is never the own container of an export', () => {
    expect(isContainerName(OWN)).to.equal(true)
    expect(isOwnContainer(OWN)).to.equal(true)
    expect(() => containerChoice({})(OWN, FOLDER)).to.throw(ContainerError, /cannot be picked/)
    for (const options of [{ names: [OWN] }, { fallback: OWN }]) {
      expect(() => containerChoice(options)).to.throw(Error, /cannot be picked/)
    }
  })
})

describe('a key in a container', () => {
  const keys: readonly (readonly [key: string, parts: readonly [string, string]])[] = [
    ['abc/d', ['abc', 'd']],
    ['abc/d/e.ndjson', ['abc', 'd/e.ndjson']],
    ['abc/d/', ['abc', 'd/']],
  ]
  for (const [key, parts] of keys) {
    it(`${key} is ${parts.join(' and ')}`, () => expect(withinContainer(key)).to.deep.equal(parts))
  }

  for (const key of ['', '/', 'abc', 'abc/', '/d', 'abc//', 'abc/../d', '../d', 'abc/d\0', 'abc/d//']) {
    it(`is not ${JSON.stringify(key)}`, () => expect(() => withinContainer(key)).to.throw(Error, /Not a /))
  }
})

describe('the own container of an export', () => {
  it('is found by its folder', () => {
    for (const prefix of [`${OWN}/${FOLDER}`, `${OWN}/${FOLDER}/`])
      expect(ownContainerOf(prefix)).to.equal(OWN)
  })

  const others = [
    ...[OWN, FOLDER, `${OWN}/`, `${OWN}/${FOLDER}/Patient-1.ndjson`, `abc/${FOLDER}`, `/${OWN}/${FOLDER}`],
    ...[`${OWN}/${FOLDER.replace('4f', '5f')}`, `${OWN}/${OWN.replace('4f', '5f')}`, `${OWN}/..`, 'a/b', ''],
  ]
  for (const prefix of others) {
    it(`is not meant by ${prefix}`, () => expect(ownContainerOf(prefix)).to.equal(undefined))
  }
})
