import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Nothing that would look for a network that is not there. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Tests in a real browser. Without one they are left out, except in CI, where it must be there. */
export const describeInBrowser = describe.runIf(existsSync(executablePath) || process.env.CI === 'true');

/** A browser for the tests of a file. Use it as `browser()` inside tests. */
export function useBrowser(): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args });
  });
  afterAll(() => browser?.close());
  return () => {
    if (!browser) throw new Error('the browser is there inside tests only');
    return browser;
  };
}
