import { createRequire } from 'node:module'
import { expect } from 'chai'
import { withAbsoluteAttachments } from '../../../plugin/fhir/attachment.js'
import { ATTACHMENT_PATHS } from '../../../plugin/fhir/attachment-paths.js'
import { mandatoryElements } from '../../../plugin/fhir/mandatory-elements.js'
import { compartmentOf } from '../../../plugin/fhir/patient-compartment.js'
import { pathsTo, publishedTypes, resourceTypesOf, typeAt } from '../../support/published-types.js'

interface SearchParameter {
  readonly name: string
  readonly type: string
  readonly xpath: string
}

// Past its index, which in these versions lacks a dozen types.
const require = createRequire(import.meta.url)
const parametersOf = (type: string, version: string) =>
  require(
    `@asymmetrik/node-fhir-server-core/dist/server/resources/${version}/parameters/${type.toLowerCase()}.parameters.js`,
  ) as Readonly<Record<string, SearchParameter>>

const RELEASES = [
  ['3_0_1', 'STU3', publishedTypes('r3')],
  ['1_0_2', 'DSTU2', publishedTypes('r2')],
] as const

/** Of the pages of the releases about the compartment: a few types that others have not, or have elsewhere. */
const PAGES: Readonly<Record<string, { readonly in: readonly string[]; readonly out: readonly string[] }>> = {
  '3_0_1': {
    in: ['BodySite', 'CareTeam', 'DeviceRequest', 'EligibilityRequest', 'ImagingManifest', 'ReferralRequest'],
    out: ['Contract', 'Device', 'DiagnosticOrder', 'MedicationOrder', 'Sequence', 'ServiceRequest', 'Task'],
  },
  '1_0_2': {
    in: ['DeviceUseRequest', 'DiagnosticOrder', 'ImagingObjectSelection', 'MedicationOrder', 'Order'],
    out: [
      'CareTeam',
      'ClaimResponse',
      'Contract',
      'Coverage',
      'DeviceMetric',
      'MedicationRequest',
      'MessageHeader',
    ],
  },
}

for (const [version, release, types] of RELEASES) {
  describe(`the definitions of ${release}`, () => {
    const compartment = compartmentOf(version)

    it('have a compartment of the types that its page has, in alphabetical order', () => {
      const { in: included = [], out = [] } = PAGES[version] ?? {}
      expect(compartment.types).to.include.members(included)
      for (const type of out) expect(compartment.has(type), type).to.equal(false)
      expect(compartment.types).to.deep.equal([...compartment.types].sort())
      expect(resourceTypesOf(types)).to.include.members(compartment.types)
    })

    it('read references by parameters of the core that read the same elements', () => {
      for (const type of compartment.types) {
        for (const { parameter, path } of compartment.paths(type)) {
          expect(typeAt(types, type, path), `${type}.${path.join('.')}`).to.equal('Reference')
          const declared = parametersOf(type, version)[parameter]
          expect(declared?.type, `${type} ${parameter}`).to.equal('reference')
          expect(declared?.xpath, `${type} ${parameter}`).to.equal(`${type}.${path.join('.')}`)
        }
      }
    })

    it('have a way by each parameter `patient` and `subject` of a type in the compartment', () => {
      for (const type of compartment.types.filter((each) => each !== 'Patient')) {
        const read = compartment.paths(type).map(({ path }) => `${type}.${path.join('.')}`)
        const { patient, subject } = parametersOf(type, version)
        for (const declared of [patient, subject]) {
          if (declared !== undefined) expect(read, type).to.include(declared.xpath)
        }
      }
    })

    it('have the mandatory elements of the published types', () => {
      for (const type of resourceTypesOf(types)) {
        const elements = types.get(type) ?? new Map()
        const published = [...elements.values()]
          .filter(({ isMandatory }) => isMandatory)
          .map(({ name }) => name)
        const own = mandatoryElements(type, version)
        expect(own, type).to.include.members(published.filter((name) => name !== 'resourceType'))
        // Of a choice no form is mandatory, but one of them.
        for (const name of own.filter((each) => !published.includes(each))) {
          const forms = [...elements.keys()].filter((each) => each.startsWith(name) && each !== name)
          expect(forms, `${type}.${name}`).to.have.length.greaterThan(1)
        }
      }
    })

    it('know where each published type has attachments', () => {
      for (const type of resourceTypesOf(types)) {
        const known = ATTACHMENT_PATHS[release][type] ?? []
        for (const path of pathsTo(types, type, 'Attachment')) {
          const isKnown = known.some((each) =>
            new RegExp(`^${each.replace('**.', '(\\w+\\.)*')}$`).test(path),
          )
          expect(isKnown, `${type}.${path}`).to.equal(type !== 'Parameters' && type !== 'StructureMap')
        }
      }
    })
  })
}

describe('withAbsoluteAttachments', () => {
  it('looks where the version of the base has attachments', () => {
    const url = 'Binary/b1'
    const response = {
      resourceType: 'QuestionnaireResponse',
      group: { question: [{ answer: [{ valueAttachment: { url } }] }] },
    }
    const base = 'https://fhir.example.org/1_0_2'
    expect(JSON.stringify(withAbsoluteAttachments(response, base))).to.include(`${base}/${url}`)
    expect(withAbsoluteAttachments(response, 'https://fhir.example.org/4_0_0')).to.equal(response)
  })
})
