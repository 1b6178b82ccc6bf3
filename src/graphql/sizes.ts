/**
 * What a cost can depend on in variables: numbers, the lengths of lists, and what is absent. Two requests that agree
 * in it cost the same, whatever texts they send.
 */
export function sizesOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value)) return `[${value.length}:${value.map(sizesOf).join()}]`;
  if (typeof value !== 'object') return '.';
  return `{${Object.entries(value)
    .map(([name, part]) => `${name}:${sizesOf(part)}`)
    .join()}}`;
}
