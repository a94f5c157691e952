/**
 * Keeps a page up to date: loads it again now and then, and puts in place what has changed, so that focus, selection and
 * what was opened stay. Where the server takes long for it, that is done less often. Without it all that the page can do is there as well.
 */
export const SCRIPT = `(() => {
  'use strict'
  const EVERY = 3000
  const main = document.querySelector('main')
  const button = document.getElementById('updates')
  let paused = false
  let timer
  let wait = EVERY
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || '') === (b.id || '')
  const has = (nodes, id) => nodes.some((node) => node.id === id)
  const copy = (from, to) => {
    if (to.nodeType !== 1) {
      if (to.nodeValue !== from.nodeValue) to.nodeValue = from.nodeValue
      return
    }
    for (const { name, value } of from.attributes) if (to.getAttribute(name) !== value) to.setAttribute(name, value)
    for (const { name } of [...to.attributes]) if (name !== 'open' && !from.hasAttribute(name)) to.removeAttribute(name)
    fill(from, to)
  }
  const fill = (from, to) => {
    const wanted = [...from.childNodes]
    let at = to.firstChild
    for (const node of wanted) {
      while (at && at.id && !alike(node, at) && !has(wanted, at.id)) {
        const gone = at
        at = at.nextSibling
        gone.remove()
      }
      if (at && alike(node, at)) {
        copy(node, at)
        at = at.nextSibling
      } else {
        const old = node.id ? [...to.children].find((child) => alike(node, child)) : undefined
        const put = old || document.importNode(node, true)
        to.insertBefore(put, at)
        if (old) copy(node, put)
      }
    }
    while (at) {
      const gone = at
      at = at.nextSibling
      gone.remove()
    }
  }
  const stale = document.getElementById('stale')
  const say = (text) => { button.textContent = text }
  const look = async () => {
    const started = performance.now()
    try {
      const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error', signal: AbortSignal.timeout(20000) })
      if (!answer.ok && answer.status !== 404) throw new Error('status ' + answer.status)
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      if (paused) return
      fill(page.querySelector('main'), main)
      stale.textContent = ''
    } catch (error) {
      stale.textContent = 'Not up to date: the server does not answer as it should.'
    }
    wait = Math.max(EVERY, 10 * (performance.now() - started))
    next()
  }
  const next = () => {
    clearTimeout(timer)
    if (!paused && !document.hidden) timer = setTimeout(look, wait)
  }
  const stop = (text) => {
    paused = true
    clearTimeout(timer)
    say(text)
  }
  button.hidden = false
  button.addEventListener('click', () => {
    if (!paused) return stop('Go on with updates')
    paused = false
    say('Pause updates')
    look()
  })
  document.addEventListener('visibilitychange', next)
  next()
})()`
