/**
 * The part of the module `prom-client` that is used. The host gives it, so that the figures come to the registry that
 * it serves already, and whoever wants none need not install it.
 */
export interface PrometheusClient {
  readonly Counter: new (description: MetricDescription) => object
  readonly Gauge: new (description: GaugeDescription) => object
  /** Where the metrics are registered; `{ ...client, register }` has them in a registry of your own. */
  readonly register: PrometheusRegistry
}

export interface PrometheusRegistry {
  getSingleMetric(name: string): object | undefined
  registerMetric(metric: object): void
}

/** What a counter or a gauge is made of. */
export interface MetricDescription {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
  /** Empty: it is registered by name, where it is not there yet. */
  readonly registers: []
}

export interface GaugeDescription extends MetricDescription {
  /** Called at each scrape, before the value is read. */
  collect(): Promise<void>
}
