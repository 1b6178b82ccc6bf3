import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { countingRule, limits } from './limits.js';
import { schema } from './schema.js';

/** An operation that is valid: what it takes to run it, made once and kept as long as its document. */
export interface Operation {
  document: DocumentNode;
  name: string | undefined;
  node: OperationDefinitionNode;
  fragments: Record<string, FragmentDefinitionNode>;
  /** What others derive from the operation and keep with it, each under its own key. */
  derived: Map<object, unknown>;
}

interface CachedDocument {
  document: DocumentNode;
  operations: Map<string, Operation | null>;
}

/** How many documents are kept, and how long they may be, in UTF-16 units: together they bound the memory. */
const MAX_DOCUMENTS = 500;
const MAX_LENGTH = 16 * 1024;

const documents = new Map<string, CachedDocument>();
const rules = [...specifiedRules, countingRule];

/** The operation that a request names; null when the text is not valid or has no such operation. */
export function findOperation(text: string, name?: string | null): Operation | null {
  const cached = documents.get(text) ?? remember(text);
  if (!cached) return null;
  if (name === '') return null;
  const key = name ?? '';
  const known = cached.operations.get(key);
  if (known !== undefined) return known;
  const operation = operationOf(cached.document, name);
  // Names that do not exist would fill the map.
  if (operation) cached.operations.set(key, operation);
  return operation;
}

function remember(text: string): CachedDocument | null {
  const document = validDocument(text);
  if (!document) return null;
  const cached = { document, operations: new Map<string, Operation>() };
  if (text.length > MAX_LENGTH) return cached;
  const [oldest] = documents.keys();
  if (documents.size >= MAX_DOCUMENTS && oldest !== undefined) documents.delete(oldest);
  documents.set(text, cached);
  return cached;
}

function validDocument(text: string): DocumentNode | null {
  try {
    const document = parse(text, { maxTokens: limits.tokens });
    return validate(schema, document, rules).length === 0 ? document : null;
  } catch {
    return null;
  }
}

function operationOf(document: DocumentNode, name?: string | null): Operation | null {
  const node = getOperationAST(document, name);
  if (!node) return null;
  const fragments = Object.fromEntries(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition] as const] : [],
    ),
  );
  return { document, name: node.name?.value, node, fragments, derived: new Map() };
}
