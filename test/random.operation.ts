import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { schema } from '../src/graphql/schema.js';

/** What arguments are filled with. */
export interface Pools {
  ids: string[];
  cursors: string[];
  users: string[];
}

export interface RandomOperation {
  query: string;
  variables: Record<string, unknown>;
}

/** Answers differ from call to call (signatures), or are not about reading. */
const avoided = new Set(['downloadUrl', 'sharePreview', '_service', '_entities']);
const sizes = [0, 1, 2, 3, 3, 5, 5, 7, 20, 100, 101, -1];
const texts = ['a', 'B', '%', '_', '\\', '"', 'ü', '😀', 'kyc', 'x'.repeat(300), '\n', ''];

/** A valid query over the whole schema, the same for the same seed. */
export function randomOperation(seed: number, pools: Pools): RandomOperation {
  return new Generator(seed, pools).operation();
}

class Generator {
  private readonly definitions: string[] = [];
  private readonly fragments: string[] = [];
  private readonly variables: Record<string, unknown> = {};
  private names = 0;
  private aliases = 0;
  private state: number;

  constructor(
    seed: number,
    private readonly pools: Pools,
  ) {
    this.state = seed * 2654435761 + 1;
  }

  operation(): RandomOperation {
    const query = schema.getQueryType();
    if (!query) throw new Error('no queries');
    const selection = this.selection(query, 0, this.chance(0.2) ? 2 : 1);
    const definitions = this.definitions.length > 0 ? `(${this.definitions.join(', ')})` : '';
    return { query: [`query Q${definitions} ${selection}`, ...this.fragments].join('\n'), variables: this.variables };
  }

  private selection(type: GraphQLObjectType, depth: number, wanted = 1 + this.below(5)): string {
    const fields = Object.values(type.getFields()).filter(({ name }) => !avoided.has(name));
    const leaves = fields.filter((field) => !isObjectType(getNamedType(field.type)) && !isInterfaceType(getNamedType(field.type)));
    const used = new Set<string>();
    const parts: string[] = [];
    for (let count = 0; count < wanted; count++) {
      const field = this.one(depth > 5 && leaves.length > 0 ? leaves : fields);
      // What few fields are is left to few operations, or hardly one would be planned.
      if (!declared(field) && depth < 9 && !this.chance(0.05)) continue;
      parts.push(this.wrapped(type, this.field(field, depth, used), depth, used));
    }
    if (parts.length === 0 || this.chance(0.1)) parts.push('__typename');
    return `{ ${parts.join(' ')} }`;
  }

  private field(field: GraphQLField<unknown, unknown>, depth: number, used: Set<string>): string {
    const type = getNamedType(field.type);
    // Two uses under one name must agree in their arguments: the second gets a name of its own.
    const again = used.has(field.name) || (field.args.length > 0 && depth > 0);
    used.add(field.name);
    const alias = (again && field.args.length > 0) || this.chance(0.1) ? this.alias() : '';
    const head = `${alias}${field.name}${this.args(field.args)}${this.directive()}`;
    if (isObjectType(type)) return `${head} ${this.selection(type, depth + 1)}`;
    if (isInterfaceType(type)) return `${head} { id ... on Document { name } __typename }`;
    return head;
  }

  private alias(): string {
    this.aliases += 1;
    return `a${this.aliases}: `;
  }

  private wrapped(type: GraphQLObjectType, part: string, depth: number, used: Set<string>): string {
    if (depth === 0 || !this.chance(0.12)) return part;
    const [shared] = type.getInterfaces();
    const on = shared && this.chance(0.3) && /^(id|__typename)$/.test(part) ? shared.name : type.name;
    if (this.chance(0.5)) return `... on ${on}${this.directive()} { ${part} }`;
    const name = `F${this.fragments.length}`;
    this.fragments.push(`fragment ${name} on ${on} { ${part} ${used.has('id') ? 'id' : ''} }`);
    return `...${name}${this.directive()}`;
  }

  private directive(): string {
    if (!this.chance(0.08)) return '';
    const name = this.one(['skip', 'include']);
    const value = this.chance(0.5);
    return ` @${name}(if: ${this.chance(0.5) ? this.variable('Boolean!', value) : value})`;
  }

  private args(args: readonly GraphQLArgument[]): string {
    const given = args.filter((arg) => isNonNullType(arg.type) || this.chance(arg.name === 'last' || arg.name === 'before' ? 0.1 : 0.3));
    if (given.length === 0) return '';
    return `(${given.map((arg) => `${arg.name}: ${this.value(arg.name, arg.type)}`).join(', ')})`;
  }

  private value(name: string, type: GraphQLInputType): string {
    const value = this.json(name, type);
    return this.chance(0.5) ? this.variable(String(type), value) : literal(value, type);
  }

  private variable(type: string, value: unknown): string {
    this.names += 1;
    this.definitions.push(`$v${this.names}: ${type}`);
    this.variables[`v${this.names}`] = value;
    return `$v${this.names}`;
  }

  private json(name: string, type: GraphQLInputType): unknown {
    if (isNonNullType(type)) return this.json(name, type.ofType);
    if (name !== 'direction' && name !== 'field' && this.chance(0.04)) return null;
    if (isListType(type)) return Array.from({ length: this.below(3) }, () => this.nonNull(name, type.ofType));
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || this.chance(0.25));
      return Object.fromEntries(fields.map((field) => [field.name, this.json(field.name, field.type)]));
    }
    return this.leaf(name, type);
  }

  private nonNull(name: string, type: GraphQLInputType): unknown {
    return this.json(name, type) ?? this.leaf(name, getNamedType(type));
  }

  private leaf(name: string, type: GraphQLInputType): unknown {
    if (isEnumType(type)) return this.one(type.getValues()).name;
    switch (String(type)) {
      case 'Int':
        return this.one(sizes);
      case 'Boolean':
        return this.chance(0.5);
      case 'ID':
        return this.one(this.pools.ids);
      case 'UUID':
        return this.one(this.pools.users);
      case 'DateTime':
        return this.one(['2020-01-01T00:00:00.000Z', new Date(2100, 1).toISOString(), '0001-01-01T00:00:00.000Z']);
      default:
        return this.one(name === 'after' || name === 'before' ? this.pools.cursors : texts);
    }
  }

  private chance(probability: number): boolean {
    return this.next() < probability;
  }

  private below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  private one<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }

  /** mulberry32 */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}

/** Whether a plan can hold the field: it is a column, a declared relation, or a part of a connection. */
const declared = ({ name, extensions }: GraphQLField<unknown, unknown>) =>
  'docgatePlan' in extensions || 'pothosExposedField' in extensions || ['nodes', 'edges', 'node', 'pageInfo', 'totalCount'].includes(name);

/** A value in the syntax of GraphQL. */
function literal(value: unknown, type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(value, type.ofType);
  if (value === null) return 'null';
  if (isListType(type) && Array.isArray(value)) return `[${value.map((item) => literal(item, type.ofType)).join(', ')}]`;
  if (isInputObjectType(type)) {
    const fields = type.getFields();
    const parts = Object.entries(value as object).map(([name, part]) => `${name}: ${literal(part, fields[name]?.type ?? type)}`);
    return `{ ${parts.join(', ')} }`;
  }
  return isEnumType(type) ? String(value) : JSON.stringify(value);
}
