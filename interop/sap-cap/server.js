// What lies around the services: loopback only, a request log, and SAP's CSRF handshake, which CAP does not have.
'use strict'

const cds = require('@sap/cds')
const fs = require('node:fs')
const { randomUUID } = require('node:crypto')

const SERVICES = '/sap/opu/odata/sap'
const sessions = new Map()

// Prepended: the V2 adapter hooks in at the same event, and must come behind us.
cds.prependListener('bootstrap', (app) => {
  const listen = app.listen.bind(app)
  app.listen = (port, ...rest) => listen(port, '127.0.0.1', ...rest.filter((argument) => typeof argument === 'function'))
  app.use(SERVICES, log, csrf)
})

// One line per request that came from outside: method, path without query, status. No header, no body.
function log(req, res, next) {
  const file = process.env.SAP_CAP_LOG
  if (file) {
    const path = req.originalUrl.split('?')[0]
    res.once('finish', () => fs.appendFileSync(file, `${req.method} ${path} ${res.statusCode}\n`))
  }
  next()
}

function csrf(req, res, next) {
  if (!isKnownUser(req)) return next() // CAP itself answers 401
  const asks = (req.headers['x-csrf-token'] ?? '').toLowerCase() === 'fetch'
  if (['GET', 'HEAD'].includes(req.method)) {
    if (asks) {
      const [session, token] = [randomUUID(), randomUUID()]
      sessions.set(session, token)
      res.setHeader('x-csrf-token', token)
      res.setHeader('set-cookie', [`SAP_SESSIONID_CAP_100=${session}; path=/; HttpOnly`, 'sap-usercontext=sap-client=100; path=/'])
    }
    return next()
  }
  const session = /SAP_SESSIONID_CAP_100=([^;\s]+)/.exec(req.headers.cookie ?? '')?.[1]
  const token = session && sessions.get(session)
  if (token && token === req.headers['x-csrf-token']) return next()
  res.setHeader('x-csrf-token', 'Required')
  res.status(403).type('text/plain').send('CSRF token validation failed')
}

function isKnownUser(req) {
  const [kind, encoded] = (req.headers.authorization ?? '').split(' ')
  const [user, password] = Buffer.from(encoded ?? '', 'base64').toString().split(':')
  return kind === 'Basic' && cds.env.requires.auth.users[user]?.password === password && password !== undefined
}

module.exports = cds.server
