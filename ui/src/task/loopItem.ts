// What an iteration is about, in the names that the author of the pipeline gave.
import { valueLine } from '../format/value'

/**
 * The values of an iteration's item: "depths = 3". The kfp compiler calls them pipelinechannel--depths-loop-item,
 * pipelinechannel--loop-item-param-1 or …-loop-item-subvar-lr; the other inputs are the same in every iteration.
 */
export function itemLabels(parameters: Record<string, unknown>): string[] {
  const all = Object.entries(parameters)
  const items = all.filter(([name]) => name.includes('loop-item'))
  return (items.length > 0 ? items : all).map(([name, value]) => `${shortName(name)} = ${valueLine(value)}`)
}

function shortName(name: string): string {
  const plain = name.replace(/^pipelinechannel--/, '')
  const field = /-subvar-(.+)$/.exec(plain)?.[1]
  return field ?? (plain.replace(/-?loop-item(-param)?(-\d+)?$/, '') || 'item')
}
