import { createHash } from 'node:crypto'
import { type Content, Html, html } from './html.js'
import type { HttpResponse } from './message.js'
import { SCRIPT } from './operator-script.js'
import { STYLE } from './operator-style.js'

/** One page for the operator. */
export interface OperatorDocument {
  readonly title: string
  /** Absolute path of the list of exports. */
  readonly home: string
  readonly main: Content
  /** Present if it changes while somebody looks at it. */
  readonly live?: LiveDocument
  /** Who looks at it; absent on pages for anybody. */
  readonly operator?: string
}

/** How a browser without scripts keeps a page up to date, if whoever looks at it wants that. */
export interface LiveDocument {
  /** Seconds after which the page is loaded again; absent: not by itself. */
  readonly reload?: number
  /** Query of the page that does, or of the one that does not any more. */
  readonly other: string
}

/** A whole page that no cache keeps and no other site can frame, read or bring scripts into. */
export function documentResponse(
  status: number,
  document: OperatorDocument,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8', ...pageHeaders(), ...headers },
    body: markupOf(document).markup,
  }
}

/** What each answer of the page says to browsers, redirections among them. */
export function pageHeaders(): Readonly<Record<string, string>> {
  return {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': policy().join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    // With `no-referrer` browsers would not say either where a form comes from.
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Robots-Tag': 'noindex',
  }
}

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const policy = () => [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
]

function markupOf({ title, home, main, live, operator }: OperatorDocument): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
${unescaped('style', STYLE)}
${live?.reload === undefined ? '' : html`<noscript><meta http-equiv="refresh" content="${live.reload}"></noscript>`}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<a class="brand" href="${home}">Bulk exports</a>
<span class="tools">${live ? updates(live) : ''}${operator === undefined ? '' : html`<span class="who">Signed in as <bdi>${operator}</bdi></span>`}</span>
</header>
<main id="main" tabindex="-1">${main}</main>
${live ? unescaped('script', SCRIPT) : ''}
</body>
</html>
`
}

function updates({ reload, other }: LiveDocument): Html {
  const text = reload === undefined ? 'Reload every 10 seconds' : 'Stop reloading'
  const link = html`<a href="?${other}">${text}</a>`
  return html`<span id="stale" role="status"></span><button type="button" id="updates" class="quiet" hidden>Pause updates</button><noscript>${link}</noscript>`
}

/** For elements in which there is no escaping; their text is always one of ours. */
function unescaped(name: 'style' | 'script', text: string): Html {
  return new Html(`<${name}>${text}</${name}>`)
}
