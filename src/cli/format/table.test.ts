import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { showPorts } from './ports.ts'
import { alignColumns } from './table.ts'

describe('alignColumns()', () => {
  it('makes each column as wide as its widest cell and three spaces, and at least ten', () => {
    assert.equal(
      alignColumns('A\tB\tC\nlong-long-cell\tx\tend\n'),
      'A                B         C\nlong-long-cell   x         end\n',
    )
  })

  it('begins a column anew where lines without it come between', () => {
    assert.equal(
      alignColumns('aaaaaaaaaaaa\tx\nno columns\nb\ty\n'),
      'aaaaaaaaaaaa   x\nno columns\nb         y\n',
    )
  })

  it('puts the cells of a column below each other', () => {
    const cell = fc.string().filter((text) => !/[\t\n]/.test(text))
    const row = fc.tuple(cell, cell, fc.constant('#'))
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (rows) => {
        const lines = alignColumns(`${rows.map((cells) => cells.join('\t')).join('\n')}`).split('\n')
        const ends = lines.map((line) => Array.from(line).length)
        assert.equal(new Set(ends).size, 1)
      }),
    )
  })
})

describe('showPorts()', () => {
  const port = (IP: string, PublicPort: number, PrivatePort: number, Type = 'tcp'): object => ({
    IP,
    PublicPort,
    PrivatePort,
    Type,
  })

  it('collapses neighbours that keep their number', () => {
    const ports = [
      port('0.0.0.0', 9002, 9002),
      port('0.0.0.0', 9000, 9000),
      port('0.0.0.0', 9001, 9001),
      port('::', 9000, 9000),
    ]
    assert.equal(showPorts(ports), '0.0.0.0:9000-9002->9000-9002/tcp, [::]:9000->9000/tcp')
  })

  it('shows exposed ports first and mappings to other numbers last', () => {
    const ports = [
      port('0.0.0.0', 8080, 80),
      port('::', 8080, 80),
      { PrivatePort: 443, Type: 'tcp' as const },
      port('0.0.0.0', 53, 53, 'udp'),
    ]
    assert.equal(showPorts(ports), '0.0.0.0:53->53/udp, 443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp')
    assert.equal(showPorts([]), '')
  })
})
