import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Vitest would load graphql twice, as ESM and as CommonJS, and `instanceof` between the two fails.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  // All cores: by default one is left to whoever sits at the machine.
  test: { include: ['test/**/*.test.ts', 'src/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000, pool: 'forks', maxWorkers: '100%' },
});
