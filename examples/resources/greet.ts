/** A function in one file: the default export is called with the input. */
// biome-ignore lint/style/noDefaultExport: a handler is one
export default function greet(name: string): string {
  return `${process.env['GREETING'] ?? 'Hello'}, ${name}!`;
}
