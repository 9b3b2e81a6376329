/** What a removal would take away, in the order in which it would. */
export interface PlannedRemoval {
  /** `name` is a name of an image, which goes before the image itself does; a `layer` goes with the last image that has it. */
  readonly Kind: 'container' | 'network' | 'volume' | 'name' | 'image' | 'layer' | 'cache'
  /** What the object is removed by: an id, or the name of a volume. Of a `name`, the id of its image. */
  readonly ID: string
  readonly Name: string
  /** Bytes on disk that are its own; of images not known before they are gone. */
  readonly Size?: number
}
