import { describe, expect, it } from 'vitest'
import { itemLabels } from './loopItem'

describe('itemLabels', () => {
  it.each([
    [{ 'pipelinechannel--depths-loop-item': 3, 'pipelinechannel--pause': 1 }, ['depths = 3']],
    [{ 'pipelinechannel--loop-item-param-1': { lr: 0.1 } }, ['item = {"lr":0.1}']],
    [{ 'pipelinechannel--loop-item-param-2-subvar-lr': 0.1, 'pipelinechannel--x-loop-item-subvar-n': 4 }, ['lr = 0.1', 'n = 4']],
    [{ seed: 7 }, ['seed = 7']],
    [{}, []],
  ])('says what %j is about', (parameters, want) => expect(itemLabels(parameters)).toEqual(want))
})
