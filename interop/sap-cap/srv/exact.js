// Exact decimals as BigInt billionths: an amount that goes through a double is no reference for anybody.
'use strict'

const ONE = 1_000_000_000n

const parse = (text) => {
  const match = /^(-?)(\d*)(?:\.(\d{0,9})\d*)?$/.exec(String(text ?? '0').trim())
  if (!match) throw new RangeError(`no plain decimal: ${text}`)
  const value = BigInt(match[2] || '0') * ONE + BigInt((match[3] || '').padEnd(9, '0'))
  return match[1] ? -value : value
}

const format = (value) => {
  const size = value < 0n ? -value : value
  const fraction = String(size % ONE).padStart(9, '0').replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${size / ONE}${fraction ? '.' + fraction : ''}`
}

// Half away from zero, to `step` billionths.
const divide = (a, b) => {
  const [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b]
  const size = (2n * x + y) / (2n * y)
  return (a < 0n) === (b < 0n) ? size : -size
}
const cents = (value) => divide(value, ONE / 100n) * (ONE / 100n)
const times = (a, b) => divide(a * b, ONE)

module.exports = { parse, format, divide, cents, times }
