import { visit } from 'jsonc-parser';
import { DomainError } from '../errors.js';

const parseError = (what: string) => new DomainError('BAD_REQUEST', `JSON parse error - ${what}`);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A JSON body; an empty one is `{}`. Refuses what two readers might take for two different things. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  const text = decoded(body);
  const value = parsed(text);
  const repeated = repeatedKey(text);
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
  } catch (error) {
    throw parseError(error instanceof Error ? error.message : 'the body is not JSON');
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
