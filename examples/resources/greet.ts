/** A function in one file: the default export is called with the input. */
export default function greet(name: string): string {
  return `${process.env['GREETING'] ?? 'Hello'}, ${name}!`;
}
