import { expect } from 'chai'
import fc from 'fast-check'
import { searchArguments, splitEscaped, unescaped } from '../../../scripts/host/search-argument.js'

describe('searchArguments', () => {
  it('tells name, modifier and alternatives apart', () => {
    expect(searchArguments({ base_version: '4_0_0', 'name:exact': 'a,b\\,c', code: 's|x' })).to.deep.equal([
      { name: 'name', modifier: 'exact', values: ['a', 'b\\,c'] },
      { name: 'code', values: ['s|x'] },
    ])
  })

  it('leaves out what has no value, and what is no text', () => {
    expect(searchArguments({ name: '', given: ',', code: undefined, flag: true })).to.deep.equal([])
  })

  it('keeps repeated parameters apart', () => {
    expect(searchArguments({ date: ['ge1', 'lt2'] })).to.deep.equal([
      { name: 'date', values: ['ge1'] },
      { name: 'date', values: ['lt2'] },
    ])
  })
})

describe('splitEscaped', () => {
  it('finds any texts again that were escaped and joined', () => {
    const escaped = (text: string) => text.replace(/[,|$\\]/g, '\\$&')
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (texts) => {
        expect(splitEscaped(texts.map(escaped).join(','), ',').map(unescaped)).to.deep.equal(texts)
      }),
    )
  })

  it('takes a lone backslash as it is', () => {
    expect(splitEscaped('a\\', ',')).to.deep.equal(['a\\'])
    expect(unescaped('a\\b\\')).to.equal('a\\b\\')
  })
})
