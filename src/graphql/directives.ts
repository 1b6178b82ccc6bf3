import { type ASTNode, type DocumentNode, GraphQLIncludeDirective, GraphQLSkipDirective, getDirectiveValues, Kind, visit } from 'graphql';

const names = ['skip', 'include'];

/** The variables that @skip and @include read: each combination of their values is a selection of its own. */
export function flagsOf(document: DocumentNode): string[] {
  const flags = new Set<string>();
  visit(document, {
    Directive({ name, arguments: args = [] }) {
      if (!names.includes(name.value)) return;
      for (const { value } of args) if (value.kind === Kind.VARIABLE) flags.add(value.name.value);
    },
  });
  return [...flags];
}

export const flagKey = (flags: string[], variables: Record<string, unknown>): string =>
  flags.map((name) => (variables[name] ? '1' : '0')).join('');

/** The document without what these variables skip, and without the directives that say so; null when nothing is left somewhere. */
export function withoutSkipped(document: DocumentNode, variables: Record<string, unknown>): DocumentNode | null {
  let emptied = false;
  const judged = <Node extends ASTNode & { directives?: readonly { name: { value: string } }[] }>(node: Node) => {
    if (!node.directives?.some(({ name }) => names.includes(name.value))) return undefined;
    const skip = getDirectiveValues(GraphQLSkipDirective, node as never, variables);
    const include = getDirectiveValues(GraphQLIncludeDirective, node as never, variables);
    if (skip?.if === true || include?.if === false) return null;
    return { ...node, directives: node.directives.filter(({ name }) => !names.includes(name.value)) };
  };
  const left = visit(document, {
    Field: judged,
    FragmentSpread: judged,
    InlineFragment: judged,
    SelectionSet: {
      leave: ({ selections }) => {
        if (selections.length === 0) emptied = true;
      },
    },
  });
  return emptied ? null : left;
}
