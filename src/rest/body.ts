import { visit } from 'jsonc-parser';
import { DomainError } from '../errors.js';

const parseError = (what: string) => new DomainError('BAD_REQUEST', `JSON parse error - ${what}`);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A JSON body; an empty one is `{}`. Refuses what two readers might take for two different things. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  const text = decoded(body);
  const value = parsed(text);
  const repeated = checkedKeys(text);
  if (repeated !== null) throw parseError(`the name ${JSON.stringify(repeated)} appears twice in an object`);
  return value;
}

function decoded(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw parseError('the body is not UTF-8');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw parseError(faultIn(text));
  }
}

/** Where the fault is. JSON.parse would show what stands around it, which may be a secret. */
function faultIn(text: string): string {
  let first = 'the body is not JSON';
  const stop = (_: unknown, offset: number, __: number, line: number, column: number) => {
    if (!first.includes('line')) first = `not JSON from line ${line + 1} column ${column + 1} (char ${offset}) on`;
  };
  visit(text, { onError: stop }, { disallowComments: true });
  return first;
}

function checkedKeys(text: string): string | null {
  try {
    return repeatedKey(text);
  } catch (error) {
    // It calls itself for each level; JSON.parse does not.
    if (error instanceof RangeError) throw parseError('the body nests too deeply');
    throw error;
  }
}

function repeatedKey(text: string): string | null {
  const objects: Set<string>[] = [];
  let repeated: string | null = null;
  visit(text, {
    onObjectBegin: () => {
      objects.push(new Set());
    },
    onObjectEnd: () => {
      objects.pop();
    },
    onObjectProperty: (name) => {
      const names = objects.at(-1);
      if (names?.has(name)) repeated = name;
      names?.add(name);
    },
  });
  return repeated;
}
