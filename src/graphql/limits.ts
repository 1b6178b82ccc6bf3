import { createComplexityRule } from '@pothos/plugin-complexity';
import { type DocumentNode, type ExecutionArgs, GraphQLError, type GraphQLSchema, type ValidationRule, validate } from 'graphql';
import { DomainError, type ErrorCode } from '../errors.js';

/** What one operation may ask for. Everything is judged before anything is executed. */
export const limits = {
  /** Lexical tokens in the text. */
  tokens: 2000,
  aliases: 50,
  directives: 50,
  /** Levels of fields below each other; introspection does not count. */
  depth: 16,
  /** Fields times the rows they may come for. */
  cost: 20_000,
};

const tooMuch = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' satisfies ErrorCode } });

/** Aliases and directives multiply work without making the text much longer. Depends on the text alone. */
export const countingRule: ValidationRule = (context) => {
  let aliases = 0;
  let directives = 0;
  return {
    Field(node) {
      if (node.alias && ++aliases === limits.aliases + 1)
        context.reportError(tooMuch(`More than ${limits.aliases} aliases. Send several operations.`));
    },
    Directive() {
      if (++directives === limits.directives + 1) context.reportError(tooMuch(`More than ${limits.directives} directives.`));
    },
  };
};

/** Depth and cost of the operation that is about to run: they depend on the variables too. */
export function costErrors({ schema, document, operationName, variableValues }: ExecutionArgs, context: object): readonly GraphQLError[] {
  const rule = createComplexityRule({
    context,
    operationName,
    variableValues: { ...variableValues },
    validate({ complexity, depth }, report) {
      if (depth > limits.depth) report(tooMuch(`The operation is ${depth} levels deep; at most ${limits.depth} are allowed.`));
      if (complexity > limits.cost)
        report(tooMuch(`The operation costs ${complexity}; at most ${limits.cost} is allowed. Ask for smaller pages.`));
    },
  });
  return checked(schema, document, rule);
}

function checked(schema: GraphQLSchema, document: DocumentNode, rule: ValidationRule): readonly GraphQLError[] {
  try {
    return validate(schema, document, [rule]);
  } catch (error) {
    if (error instanceof DomainError) return [new GraphQLError(error.message, { originalError: error })];
    throw error;
  }
}
