import type { Dice } from '../population/dice.js'

/** After which log record of a worker it is killed, in the order of an export, with how often each is chosen. */
const MOMENTS = [
  [2, 'cohort.frozen'],
  [2, 'job.planned'],
  [4, 'file.written'],
  [3, 'task.done'],
  [2, 'job.completed'],
] as const
export type Moment = (typeof MOMENTS)[number][1]

/** One blow. */
export type Blow = {
  /** Whether all processes are let come back first, so that a slow machine does not only start and kill them. */
  readonly spares: boolean
  /** How long after that, or after the blow before it, in ms. */
  readonly pause: number
} & (
  | { readonly kind: 'kill-worker'; readonly victim: number }
  /** The worker that has just logged this, so many ms later. */
  | { readonly kind: 'kill-worker-at'; readonly moment: Moment; readonly later: number }
  | { readonly kind: 'kill-api' }
  | { readonly kind: 'step-down'; readonly seconds: number }
)

/** Of all kills, how many hit the API process; and step-downs for so many kills, each in percent, rounded up. */
const API_KILLS = 15
const STEP_DOWNS = 10

/** How long until the next blow, in ms: some follow each other at once, some let work go on for a while. */
const PAUSES: readonly (readonly [weight: number, pause: Pause])[] = [
  [3, { spares: false, from: 0, to: 100 }],
  [3, { spares: false, from: 100, to: 1500 }],
  [4, { spares: true, from: 0, to: 1500 }],
  [3, { spares: true, from: 1500, to: 5000 }],
]

interface Pause {
  readonly spares: boolean
  readonly from: number
  readonly to: number
}

/** The blows of a run, `kills` of them kills. The same dice give the same blows. */
export function planBlows(dice: Dice, kills: number): readonly Blow[] {
  const indexes = Array.from({ length: kills }, (_, index) => index)
  const share = (percent: number) => Math.ceil((kills * percent) / 100)
  const apiKills = new Set(dice.sample(indexes, share(API_KILLS)))
  const stepDowns = new Set(dice.sample(indexes, share(STEP_DOWNS)))
  return indexes.flatMap((index): Blow[] => {
    const kill = apiKills.has(index) ? { kind: 'kill-api' as const } : killOfWorker(dice)
    const blow = { ...kill, ...pause(dice) }
    if (!stepDowns.has(index)) return [blow]
    return [blow, { kind: 'step-down', seconds: dice.between(1, 2), ...pause(dice) }]
  })
}

function killOfWorker(dice: Dice) {
  if (dice.chance(40)) return { kind: 'kill-worker' as const, victim: dice.below(1000) }
  // What comes right after the record is hit as well as what comes a little later.
  return {
    kind: 'kill-worker-at' as const,
    moment: dice.weighted<Moment>(MOMENTS),
    later: dice.chance(60) ? 0 : dice.between(1, 40),
  }
}

function pause(dice: Dice): Pick<Blow, 'spares' | 'pause'> {
  const { spares, from, to } = dice.weighted(PAUSES)
  return { spares, pause: dice.between(from, to) }
}
