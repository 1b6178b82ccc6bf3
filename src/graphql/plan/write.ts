import type { Bind, Cell } from '../../relation/select.js';
import { NotPlannable } from './not-plannable.js';

/** Writes a value as JSON out of the cells of its row; null where it is null. */
export type WriteOrNull = (cells: Cell[], bind: Bind) => string | null;
export type Write = (cells: Cell[], bind: Bind) => string;

/** Null where it must not be is an error with a place of its own, which the ordinary path tells. */
export const nullable =
  (write: WriteOrNull, allowed: boolean): Write =>
  (cells, bind) =>
    write(cells, bind) ?? (allowed ? 'null' : violated());

function violated(): never {
  throw new NotPlannable('null');
}

export function object(fields: [string, Write][]): Write {
  const heads = fields.map(([name], index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
  const writers = fields.map(([, write]) => write);
  return (cells, bind) => {
    let text = '{';
    // The hottest loop of a request.
    for (let index = 0; index < writers.length; index++) text += `${heads[index]}${writers[index]?.(cells, bind)}`;
    return `${text}}`;
  };
}

/** The rows in a cell, each written as an element. */
export const list =
  (cell: number, write: Write): Write =>
  (cells, bind) =>
    elements(rowsOf(cells[cell]), (row) => write(row, bind));

export function elements<Item>(items: Item[], write: (item: Item) => string): string {
  let text = '[';
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item !== undefined) text += index === 0 ? write(item) : `,${write(item)}`;
  }
  return `${text}]`;
}

export function rowsOf(cell: Cell | undefined): Cell[][] {
  if (!Array.isArray(cell)) throw new Error('a list without its rows');
  return cell;
}
