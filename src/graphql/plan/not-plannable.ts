/** What a plan cannot answer, or not as the specification wants it: the ordinary path does. */
export class NotPlannable extends Error {
  override readonly name = 'NotPlannable';
}
