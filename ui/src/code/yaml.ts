// The parts of a line of YAML by colour. It reads one line at a time and knows no nesting: enough to look at, not to parse.

export interface Part {
  kind: 'key' | 'mark' | 'comment' | 'word' | 'text'
  text: string
}

const key = /^(\s*(?:- )*)("[^"]*"|'[^']*'|[^\s"'#][^:"'{}[\]]*)(:)(?=\s|$)/

/** The parts of a line, whose texts put together are the line. */
export function partsOf(line: string): Part[] {
  if (/^\s*#/.test(line)) return [{ kind: 'comment', text: line }]
  const found = key.exec(line)
  if (!found) {
    const dash = /^(\s*(?:- )+)(.*)$/.exec(line)
    if (dash) return [{ kind: 'mark', text: dash[1] ?? '' }, ...valueParts(dash[2] ?? '')]
    return line === '---' ? [{ kind: 'mark', text: line }] : [{ kind: 'text', text: line }]
  }
  const [all, indent = '', name = '', colon = ''] = found
  return [...(indent ? [{ kind: 'mark' as const, text: indent }] : []), { kind: 'key', text: name }, { kind: 'mark', text: colon }, ...valueParts(line.slice(all.length))]
}

function valueParts(text: string): Part[] {
  if (text === '') return []
  return [{ kind: /^\s*(true|false|null|~|[-+]?[\d.]+(e[-+]?\d+)?|[|>][-+]?)\s*$/i.test(text) ? 'word' : 'text', text }]
}

/** How much of a line is shown: a browser would be long with a million letters in one. */
export const longest = 5000
