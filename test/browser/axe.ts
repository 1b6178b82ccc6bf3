import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** What is wrong with a page for people who use a keyboard, a screen reader or little contrast; each with the elements concerned. */
export async function violationsOn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // Runs in the page, where the line above has defined it.
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}
