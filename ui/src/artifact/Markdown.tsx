import DOMPurify from 'dompurify'
import { marked, Renderer } from 'marked'
import { useMemo } from 'react'
import css from './Markdown.module.css'

/** Markdown that a step wrote. HTML inside it is shown as text; what marked makes is cleaned once more. */
export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => render(text), [text])
  return <div className={css.markdown} dangerouslySetInnerHTML={{ __html: html }} />
}

function render(text: string): string {
  const renderer = new Renderer()
  renderer.html = ({ text: raw }) => escape(raw)
  const html = marked.parse(text, { renderer, async: false, gfm: true })
  return DOMPurify.sanitize(html, { USE_PROFILES: { html: true }, FORBID_TAGS: ['style', 'form', 'input', 'button'], FORBID_ATTR: ['style', 'id', 'class'] })
}

function escape(text: string): string {
  const element = document.createElement('span')
  element.textContent = text
  return element.innerHTML
}
