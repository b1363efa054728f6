import { describe, expect, it } from 'vitest'
import { paymentPointerOf, resolvePaymentPointer } from '../../../src/payments/payment-pointer.ts'

describe('resolvePaymentPointer', () => {
  it.each([
    ['$example.com', 'https://example.com/.well-known/pay'],
    ['$example.com/', 'https://example.com/.well-known/pay'],
    ['$example.com/bob', 'https://example.com/bob'],
    ['$EXAMPLE.com/Bob/invoices/12', 'https://example.com/Bob/invoices/12'],
    ['$bob.example.com/a~b:c@d;e=f', 'https://bob.example.com/a~b:c@d;e=f'],
    ['https://example.com/bob', 'https://example.com/bob'],
    ['https://example.com:8443/bob?x=1', 'https://example.com:8443/bob?x=1'],
    ['http://localhost:3000/bob', 'http://localhost:3000/bob'],
    ['http://127.0.0.1:3000/bob', 'http://127.0.0.1:3000/bob'],
    ['http://[::1]:3000/bob', 'http://[::1]:3000/bob'],
  ])('takes %s', (text, url) => {
    expect(resolvePaymentPointer(text).href).toBe(url)
  })

  it.each([
    '',
    '$',
    '$/bob',
    '$example.com:8080/bob',
    '$user@example.com/bob',
    '$example.com/bob?x=1',
    '$example.com/bob#x',
    '$example.com\\@evil.example/bob',
    '$exa mple.com',
    '$-example.com',
    '$[::1]/bob',
    'bob',
    'example.com/bob',
    'http://example.com/bob',
    'http://127.0.0.1.example.com/bob',
    'http://localhost.example.com/bob',
    'https://user:password@example.com/bob',
    'file:///etc/passwd',
    'javascript:alert(1)',
    `$example.com/${'a'.repeat(3000)}`,
  ])('refuses %s', (text) => {
    expect(() => resolvePaymentPointer(text)).toThrow(RangeError)
  })
})

describe('paymentPointerOf', () => {
  it.each([
    ['https://example.com/bob', '$example.com/bob'],
    ['https://example.com/.well-known/pay', '$example.com'],
    ['https://example.com/', '$example.com'],
    ['https://example.com:8443/bob', undefined],
    ['http://example.com/bob', undefined],
    ['https://example.com/bob?x', undefined],
    ['https://[::1]/bob', undefined],
  ])('%s is %s', (url, pointer) => {
    expect(paymentPointerOf(new URL(url))).toBe(pointer)
    if (pointer !== undefined) expect(paymentPointerOf(resolvePaymentPointer(pointer))).toBe(pointer)
  })
})
