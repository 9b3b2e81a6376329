import { isSpace } from './characters.ts'

/** Text that is split at blanks while it is built. */
export class WordList {
  readonly #parts: string[] = []
  readonly #words: string[] = []
  #word = ''

  get text(): string {
    return this.#parts.join('')
  }

  /** Blanks in `text` end words. */
  addSplitting(text: string): void {
    this.#parts.push(text)
    for (const c of text) {
      if (isSpace(c)) this.#endWord()
      else this.#word += c
    }
  }

  /** Blanks in `text` are part of the word. */
  addWhole(text: string): void {
    this.#parts.push(text)
    this.#word += text
  }

  finish(): readonly string[] {
    this.#endWord()
    return this.#words
  }

  #endWord(): void {
    if (this.#word !== '') this.#words.push(this.#word)
    this.#word = ''
  }
}
