import type { RequestContext } from '../../context.js';
import { DomainError } from '../../errors.js';
import { isOutage } from '../../faults.js';
import { Bind, type Variables } from '../../relation/select.js';
import { flagKey, flagsOf } from '../directives.js';
import type { Operation } from '../operations.js';
import { compile, type Plan } from './compile.js';
import { NotPlannable } from './not-plannable.js';

/** Of one operation: more cannot be told apart by its directives, or nobody asks for them. */
const MAX_PLANS = 16;
const key = {};

interface Plans {
  flags: string[];
  /** Null: not to be planned. */
  byFlags: Map<string, Plan | null>;
}

/**
 * Answers a query with one statement, as the JSON of the response. Null for whatever is left to the ordinary path: all
 * that is not made of columns and declared relations alone, and all that ends in an error.
 *
 * @param variables as coerced by the schema
 */
export async function answerPlanned(operation: Operation, variables: Variables, ctx: RequestContext): Promise<string | null> {
  const plan = planOf(operation, variables);
  if (!plan || !mayRead(plan, ctx)) return null;
  try {
    const bind = new Bind(ctx, variables);
    return `{"data":${plan.write(await plan.select.read(bind), bind)}}`;
  } catch (error) {
    // The ordinary path meets these too, and tells them.
    if (!(error instanceof NotPlannable || error instanceof DomainError || isOutage(error)))
      ctx.log.warn({ err: error, operation: operation.name }, 'a planned read failed; the ordinary path answers');
    return null;
  }
}

/** The rights that the ordinary path asks for field by field. Who lacks one is told by it which. */
const mayRead = ({ select }: Plan, { viewer }: RequestContext): boolean =>
  viewer !== null && [...select.tables].every(({ policy }) => policy(viewer));

function planOf(operation: Operation, variables: Variables): Plan | null {
  // Only this function puts anything under its own key.
  const plans = (operation.derived.get(key) as Plans | undefined) ?? { flags: flagsOf(operation.document), byFlags: new Map() };
  operation.derived.set(key, plans);
  const flags = flagKey(plans.flags, variables);
  const known = plans.byFlags.get(flags);
  if (known !== undefined) return known;
  if (plans.byFlags.size >= MAX_PLANS) return null;
  const plan = compileOrNull(operation, variables);
  plans.byFlags.set(flags, plan);
  return plan;
}

function compileOrNull(operation: Operation, variables: Variables): Plan | null {
  try {
    return compile(operation, variables);
  } catch (error) {
    if (error instanceof NotPlannable) return null;
    throw error;
  }
}
