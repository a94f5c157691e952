import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import { readSettings } from '../../../config/settings.js'
import { storageEnvironment } from '../../../config/storage-environment.js'

// The YAML parser of Mocha.
const { load } = createRequire(import.meta.url)('js-yaml') as { load(text: string): unknown }

const DOCKER = new URL('../../../docker/', import.meta.url)
const PROFILES = ['file', 's3', 'azure', 'gcs', 'auth']
/** What SDKs read by themselves. */
const OF_SDKS = ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'STORAGE_EMULATOR_HOST']

interface Service {
  readonly image: string
  readonly build?: { readonly dockerfile: string }
  readonly profiles?: readonly string[]
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: { readonly disable?: boolean }
  readonly read_only?: boolean
  readonly init?: boolean
  readonly deploy?: { readonly replicas: number }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

describe('docker/compose.yaml', () => {
  let compose: Compose
  let dockerfile: string
  before('read', async () => {
    const read = (name: string) => readFile(new URL(name, DOCKER), 'utf8')
    compose = load(await read('compose.yaml')) as Compose
    dockerfile = await read('Dockerfile')
  })

  const services = () => Object.entries(compose.services)
  const programs = () => services().filter(([, { build }]) => build !== undefined)
  const inProfile = (profile: string) =>
    services().filter(([, { profiles = [profile] }]) => profiles.includes(profile))

  it('has the profiles of the storages and of authorisation, and starts `file` where none is named', async () => {
    const named = new Set(services().flatMap(([, { profiles = [] }]) => profiles))
    expect([...named].sort()).to.deep.equal([...PROFILES].sort())
    expect(await readFile(new URL('.env', DOCKER), 'utf8')).to.match(/^COMPOSE_PROFILES=file$/m)
  })

  for (const profile of PROFILES) {
    it(`is whole with the profile ${profile} alone`, () => {
      const names = inProfile(profile).map(([name]) => name)
      const suffix = profile === 'file' ? '' : `-${profile}`
      expect(names).to.include.members([
        'mongodb',
        ...['server', 'worker', 'sample'].map((name) => name + suffix),
      ])
      for (const [name, { depends_on = {} }] of inProfile(profile)) {
        for (const [other, { condition }] of Object.entries(depends_on)) {
          expect(names, `${name} waits for ${other}`).to.include(other)
          const { healthcheck, build } = compose.services[other] as Service
          if (condition !== 'service_healthy') continue
          expect(healthcheck?.disable, `${other} is looked at`).to.not.equal(true)
          expect(healthcheck !== undefined || build !== undefined, `${other} is looked at`).to.equal(true)
        }
      }
    })

    it(`has two workers, and no other process that works, with the profile ${profile}`, () => {
      const working = inProfile(profile).filter(([, { command }]) => command?.[0] === 'worker')
      expect(working.map(([, { deploy }]) => deploy?.replicas)).to.deep.equal([2])
      const [[, server]] = inProfile(profile).filter(([, { command }]) => command?.[0] === 'server') as [
        [string, Service],
      ]
      expect(server.environment?.['EXPORT_WORKERS']).to.equal(0)
    })

    it(`gives server, workers and sample the same place with the profile ${profile}`, () => {
      const places = inProfile(profile).flatMap(([, { environment: { MONGODB_DB, EXPORT_STORAGE } = {} }]) =>
        MONGODB_DB === undefined ? [] : [`${MONGODB_DB} ${EXPORT_STORAGE}`],
      )
      expect(new Set(places).size).to.equal(1)
    })
  }

  it('sets only what the programs and SDKs read, to values that they accept', () => {
    const known = new Set(OF_SDKS)
    const recording = new Proxy<NodeJS.ProcessEnv>({}, { get: (_, name) => void known.add(String(name)) })
    readSettings(recording)
    storageEnvironment(recording)
    for (const [name, { environment = {} }] of programs()) {
      for (const variable of Object.keys(environment)) expect(known, name).to.include(variable)
      const values = Object.entries(environment).map(([key, value]) => [key, String(value)])
      expect(() => readSettings(Object.fromEntries(values)), name).to.not.throw()
    }
  })

  it('calls programs that the image has', () => {
    const linked = /for program in (.*?); do/.exec(dockerfile)?.[1]?.split(' ') ?? []
    for (const [name, { command = [], entrypoint }] of programs()) {
      const called = entrypoint
        ? [...command.join(' ').matchAll(/^node (\w+)/gm)].map(([, program]) => program)
        : [command[0]]
      expect(called, name).to.not.be.empty
      expect(['server', ...linked], name).to.include.members(called)
    }
  })

  it('pins every image, and lets nobody in from elsewhere', () => {
    for (const [name, { image, build, ports = [] }] of services()) {
      if (build === undefined) expect(image, name).to.match(/:v?\d+\.\d+\.\d+$/)
      for (const port of ports) expect(port, name).to.match(/^127\.0\.0\.1:/)
    }
  })

  it('declares the volumes that it uses, and runs the image read-only with an init', () => {
    for (const [name, { volumes = [] }] of services()) {
      for (const volume of volumes) expect(compose.volumes, name).to.have.property(volume.split(':')[0] ?? '')
    }
    for (const [name, { read_only, init }] of programs())
      expect([read_only, init], name).to.deep.equal([true, true])
  })
})
