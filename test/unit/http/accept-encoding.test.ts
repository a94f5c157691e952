import { expect } from 'chai'
import { prefersGzip } from '../../../plugin/http/accept-encoding.js'

describe('prefersGzip', () => {
  const yes = [
    ...[
      'gzip',
      'GZIP',
      'x-gzip',
      'gzip, deflate, br',
      'br, gzip',
      'gzip;q=0.001',
      'gzip ; q=0.5',
      '*',
      '*;q=0.1',
    ],
    ...['gzip, identity', 'gzip;q=0.5, identity;q=0.5', 'identity;q=0, *', 'gzip;q=0.2, identity;q=0.1'],
    ...['deflate;q=1, gzip;q=0.1', 'identity;q=0, gzip;q=0.001', 'gzip, *;q=0', ',gzip,', 'gzip;q=1.000'],
  ]
  const no = [
    ...[undefined, '', ' ', 'identity', 'deflate, br', 'gzip;q=0', 'gzip;q=0.000', 'gzip;q=0, *', '*;q=0'],
    ...[
      'identity, *;q=0',
      'gzip;q=0.5, identity',
      'gzip;q=0.5, identity;q=0.6',
      'identity;q=0',
      'x-gzip;q=0',
    ],
    ...[
      'gzip;q=0.5, *;q=0.6',
      'gzipped',
      'not gzip',
      'gzip;q=much',
      'gzip;q=-1',
      'gzip;level=9',
      '*;q=0, br',
    ],
  ]
  for (const header of yes) it(`is true for "${header}"`, () => expect(prefersGzip(header)).to.equal(true))
  for (const header of no) it(`is false for "${header}"`, () => expect(prefersGzip(header)).to.equal(false))
})
