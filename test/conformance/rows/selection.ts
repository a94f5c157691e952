import type { Duties } from '../table.js'

const NOT_ORGANISED = 'This server does not organise its output: organizeOutputBy is refused, see QP-81.'

/** The parameters that choose among the resources of a type, and how they are put into files. */
export const SELECTION: Duties = {
  'QP-40': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      '_typeFilter is a search as in a URL, with its type in front; all of its parameters must match.',
  },
  'QP-41': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Of several filters for one type one must match.',
  },
  'QP-42': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'Each filter is for its own type; types without one come whole.',
  },
  'QP-43': {
    level: 'SHALL NOT',
    versions: '3+',
    requirement: 'Resources of a filtered type that no filter matches do not come.',
  },
  'QP-44': {
    level: 'SHALL NOT',
    versions: '2+',
    requirement: 'A filter has no parameters that only shape the result of a search, such as _sort.',
  },
  'QP-45': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'A filter searches one type, not all of them and not a compartment.',
  },
  'QP-46': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'A filter that the server cannot apply is refused, unless handling is lenient.',
  },
  'QP-47': {
    level: 'ours',
    versions: '',
    requirement: 'A filter for a type that is not exported is refused, unless handling is lenient.',
  },
  'QP-48': {
    level: 'ours',
    versions: '',
    requirement: 'Chained search parameters are refused.',
  },
  'QP-49': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'Resources that no filter matches are expected from servers that ignore filters.',
    reason: 'A duty of the client.',
  },
  'QP-50': {
    level: 'SHOULD',
    versions: '2+',
    requirement: '_elements leaves out root elements that it does not name, of one type or of all types.',
  },
  'QP-51': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'Mandatory elements stay, whether _elements names them or not.',
  },
  'QP-52': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'Resources that are not whole are tagged SUBSETTED.',
  },
  'QP-53': {
    level: 'SHOULD',
    versions: '2+',
    requirement: '_elements that the server cannot apply are refused, unless handling is lenient.',
  },
  'QP-60': {
    level: 'SHALL NOT',
    versions: '2+',
    requirement: 'With patient nothing comes from outside of the compartments of those patients.',
  },
  'QP-61': {
    level: 'SHALL NOT',
    versions: '2+',
    requirement: 'There is no patient parameter at system level.',
  },
  'QP-62': {
    level: 'SHALL',
    versions: '2–3',
    requirement: 'The patient parameter comes by POST.',
  },
  'QP-63': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'A patient that does not exist, or is not in the group, is refused with details.',
  },
  'QP-64': {
    level: 'ours',
    versions: '',
    requirement: 'A patient may be named by a relative reference or by its URL on this server.',
  },
  'QP-70': {
    level: 'SHALL if offered',
    versions: '2+',
    requirement:
      'includeAssociatedData adds the newest Provenance of each resource, all of them, or data of the server’s choice.',
  },
  'QP-71': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'Of values that contradict each other the one counts that gives more.',
  },
  'QP-72': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'A value that the server does not know is refused, unless handling is lenient.',
  },
  'QP-73': {
    level: 'SHALL',
    versions: '2+',
    requirement:
      'Without such a value every Provenance of the level comes, unless _type names other types alone.',
  },
  'QP-80': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement: 'organizeOutputBy groups the resources in the files around those of a type.',
    reason: 'This server does not offer it, see QP-81.',
  },
  'QP-81': {
    level: 'SHOULD',
    versions: '3+',
    requirement: 'organizeOutputBy that the server cannot do is refused, unless handling is lenient.',
  },
  'QP-82': {
    level: 'MAY',
    versions: '3+',
    requirement: 'With allowPartialManifests the manifest may come in pages, and before the end.',
  },
  'FL-20': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'In organised output each block begins with a header, followed by what it is about.',
    reason: NOT_ORGANISED,
  },
  'FL-21': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'A block that goes on in another file has its header there again.',
    reason: NOT_ORGANISED,
  },
  'FL-22': {
    level: 'SHOULD',
    versions: '3+',
    requirement: 'The block of a patient is its compartment.',
    reason: NOT_ORGANISED,
  },
  'FL-23': {
    level: 'MAY',
    versions: '3+',
    requirement: 'Resources that belong to no block are in those that refer to them, in all, or left out.',
    reason: NOT_ORGANISED,
  },
  'MF-14': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement: 'outputOrganizedBy says by what the output is organised.',
    reason: NOT_ORGANISED,
  },
  'MF-15': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement: 'continuesInFile says where a block goes on.',
    reason: NOT_ORGANISED,
  },
}
