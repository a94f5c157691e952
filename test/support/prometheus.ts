import type { Registry } from 'prom-client'

/** The value that a registry has for a metric of the plugin at this moment; none: it was never set. */
export async function figure(
  registry: Registry,
  metric: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const found = await registry.getSingleMetric(`bulk_export_${metric}`)?.get()
  return found?.values.find(({ labels: own }) => {
    const names = Object.keys({ ...own, ...labels })
    return names.every((name) => own[name as keyof typeof own] === labels[name])
  })?.value
}
