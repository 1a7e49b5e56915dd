// OAuth 1.0a signatures: oauth-1.0a computes the signature of the request that arrived, and it is compared.
import { createHmac, timingSafeEqual } from 'node:crypto'
import OAuth from 'oauth-1.0a'
import { Refused } from './refused.js'

const SKEW_SECONDS = 300
const NONCE_CHARACTERS_MIN = 6
const used = new Set()

export function verifySignature(account, method, url, header) {
  const { realm, oauth_signature: given, ...fields } = parse(header)
  const { consumer_key: key, consumer_secret: secret, token, token_secret: tokenSecret } = account.tba
  if (realm !== account.realm) throw new Refused('realm')
  if (fields.oauth_signature_method !== 'HMAC-SHA256') throw new Refused('oauth_signature_method')
  if (fields.oauth_version !== '1.0') throw new Refused('oauth_version')
  if (fields.oauth_consumer_key !== key) throw new Refused('oauth_consumer_key')
  if (fields.oauth_token !== token) throw new Refused('oauth_token')
  const away = Math.abs(Number(fields.oauth_timestamp) - Date.now() / 1000)
  if (!/^\d+$/.test(fields.oauth_timestamp ?? '') || away > SKEW_SECONDS) throw new Refused('oauth_timestamp')
  if ((fields.oauth_nonce ?? '').length < NONCE_CHARACTERS_MIN) throw new Refused('oauth_nonce')
  const oauth = new OAuth({
    consumer: { key, secret },
    signature_method: 'HMAC-SHA256',
    hash_function: (base, by) => createHmac('sha256', by).update(base).digest('base64'),
  })
  const expected = oauth.getSignature({ url, method, data: {} }, tokenSecret, fields)
  const [left, right] = [expected, given ?? ''].map((text) => Buffer.from(text))
  if (left.length !== right.length || !timingSafeEqual(left, right)) throw new Refused('oauth_signature')
  const once = `${fields.oauth_timestamp} ${fields.oauth_nonce}`
  if (used.has(once)) throw new Refused('oauth_nonce was used')
  used.add(once)
}

function parse(header) {
  const fields = {}
  for (const part of header.split(',')) {
    const [, name, value] = /^\s*([a-z_]+)="([^"]*)"\s*$/.exec(part) ?? []
    if (name === undefined || Object.hasOwn(fields, name)) throw new Refused('the header')
    fields[name] = decodeURIComponent(value)
  }
  return fields
}
