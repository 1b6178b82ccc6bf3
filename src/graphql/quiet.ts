import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  getOperationAST,
  isEnumType,
  isInputObjectType,
  isListType,
  print,
  typeFromAST,
  type VariableDefinitionNode,
} from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import { coerceInputValue } from 'graphql/utilities/coerceInputValue.js';

/** What GraphQL says of a value without repeating it. */
const withoutValue = /^(?:Expected (?:non-nullable )?type "[^"]*" (?:not to be null|to be an object)|Field "|Exactly one key )/;

/**
 * What is wrong with the variables of an operation, told by their place and type. GraphQL's own errors repeat what was sent,
 * all fields of an input with it: credentials would end in whatever keeps the answers of a client.
 */
export function variableErrors({ schema, document, operationName, variableValues }: ExecutionArgs): readonly GraphQLError[] {
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? [];
  const values = variableValues ?? {};
  const { errors } = getVariableValues(schema, definitions, values);
  if (!errors) return [];
  const told = definitions.flatMap((definition) => errorsOf(schema, definition, values[definition.variable.name.value]));
  // One that is missing has no value to repeat.
  return told.length > 0 ? told : errors;
}

function errorsOf(schema: GraphQLSchema, definition: VariableDefinitionNode, value: unknown): GraphQLError[] {
  // A variable's type is one of the schema's input types: that was validated.
  const type = typeFromAST(schema, definition.type as never) as GraphQLInputType | undefined;
  if (value === undefined || !type) return [];
  const { value: name } = definition.variable.name;
  const errors: GraphQLError[] = [];
  coerceInputValue(value, type, (path, _, error) => {
    const place =
      path.length === 0 ? '' : ` at "${name}${path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')}"`;
    const reason = withoutValue.test(error.message) ? error.message : expectation(typeAt(type, path));
    errors.push(new GraphQLError(`Variable "$${name}" got an invalid value${place}; ${reason}`, { nodes: definition }));
  });
  return errors;
}

function typeAt(type: GraphQLInputType, path: readonly (string | number)[]): GraphQLInputType {
  const nullable = getNullableType(type);
  const [step, ...rest] = path;
  if (isListType(nullable)) return typeAt(nullable.ofType, typeof step === 'number' ? rest : path);
  const field = isInputObjectType(nullable) && step !== undefined ? nullable.getFields()[step] : undefined;
  return field ? typeAt(field.type, rest) : nullable;
}

const expectation = (type: GraphQLInputType) =>
  isEnumType(type)
    ? `Expected one of ${type
        .getValues()
        .map(({ name }) => name)
        .join(', ')}.`
    : `Expected type "${type}".`;

/** An error of an operation's text, without the values that are written in it. */
export function withoutLiterals(error: GraphQLError): GraphQLError {
  const literals = (error.nodes ?? []).flatMap((node) =>
    'value' in node && typeof node.value === 'string' ? [print(node), node.value] : [],
  );
  const texts = literals.filter((literal) => literal.length > 3);
  const message = texts
    .reduce((told, literal) => told.replaceAll(literal, '…'), error.message)
    .replace(/^(Syntax Error: .*?(?:Block)?String) ".*$/s, '$1.');
  if (message === error.message) return error;
  const { nodes, source, positions, path, extensions } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
