/** What one page holds of a text or a table, in bytes of HTML: with stylesheet and files the page stays below 50 kB. */
const PART = 12_000;
/** What one row of a table may take of it. */
const ROW = PART / 2;
/** In letters, from what is usual to what fits however many columns there are and however their letters are escaped. */
const CELLS = [500, 100, 12];
/** What stands around a cell. */
const CELL_MARKUP = 28;
/** Lines; a long one is cut into pieces that fit however they are escaped. */
const LINES = /[^\n]{0,1500}\n|[^\n]{1,1500}/gu;

/** A part of a preview, which has at least one. */
export interface Part {
  /** From 1. */
  number: number;
  count: number;
}

/** A text in parts that end with a line, unless the line is too long for that. */
export const partsOfText = (text: string): string[] => inParts(text.match(LINES) ?? [], weightOf).map((lines) => lines.join(''));

/** Rows in parts, each with the names of the columns at its head. */
export function partsOfTable([head = [], ...rows]: string[][]): string[][][] {
  const names = fitted(head);
  const weight = weightOfRow(names);
  return inParts(rows.map(fitted), weightOfRow, PART - weight).map((part) => [names, ...part]);
}

/** The part that was asked for; one that is not there is the first. */
export function pick<Value>(parts: Value[], wanted: number): { value: Value | undefined; part: Part } {
  const number = wanted <= parts.length ? wanted : 1;
  return { value: parts[number - 1], part: { number, count: Math.max(1, parts.length) } };
}

function inParts<Item>(items: Item[], weigh: (item: Item) => number, limit = PART): Item[][] {
  let room = 0;
  const parts: Item[][] = [];
  for (const item of items) {
    const weight = weigh(item);
    if (weight > room || parts.length === 0) {
      parts.push([]);
      room = limit;
    }
    parts.at(-1)?.push(item);
    room -= weight;
  }
  return parts.length === 0 ? [[]] : parts;
}

/** In bytes once it is escaped; at most. */
const weightOf = (text: string) => Buffer.byteLength(text) + 5 * (text.match(/[&<>"']/g)?.length ?? 0);

const weightOfRow = (row: string[]) => row.reduce((sum, cell) => sum + weightOf(cell) + CELL_MARKUP, 0);

/** A row whose cells are cut until it fits. */
function fitted(row: string[]): string[] {
  const cut = (length: number) => row.map((cell) => (cell.length > length ? `${cell.slice(0, length).toWellFormed()}…` : cell));
  const shorter = CELLS.map(cut);
  return shorter.find((cells) => weightOfRow(cells) <= ROW) ?? [];
}
