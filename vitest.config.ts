import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

/**
 * What comes out alike whatever the database and the stores are: tokens, bytes and addresses, the embedded database itself,
 * drawing, the bundle, a browser. CI tries it once. Each file has a process of its own: some replace modules of Node's.
 */
const local = [
  'test/browser/**/*.test.ts',
  'test/{architecture,audit.log,auth,auth.*,blob.gcs,blob.hosts,blob.local-fs,blob.local-fs.faults,bundle,bundle.run,credentials}.test.ts',
  'test/{db.embedded,db.lock,file.disposition,file.inspect,file.serve,renderer,turns}.test.ts',
];

export default defineConfig({
  // Vitest would load graphql twice, as ESM and as CommonJS, and `instanceof` between the two fails.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    // Far more than any of them takes on a quiet machine: what hangs is ended, and a busy machine is no failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than there are cores: some files mostly wait, for stores that do not answer.
    maxWorkers: availableParallelism() + 1,
    projects: [
      { extends: true, test: { name: 'local', include: local } },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['test/**/*.test.ts', 'src/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...local],
          // Loading the service takes 3 s of each file that has a process of its own.
          isolate: false,
        },
      },
    ],
  },
});
