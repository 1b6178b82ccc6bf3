import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each imports only those to its left. */
const features = ['audit', 'storage', 'category', 'document', 'file', 'upload', 'rendition', 'move', 'share', 'node'];
/** What every feature stands on. */
const foundations = ['auth', 'blob', 'db', 'relation', 'render', 'scan'];
/** What puts the parts together; nothing else imports it. */
const compositions = ['src/app.ts', 'src/audit-log.ts', 'src/gateway.ts', 'src/main.ts', 'src/rotate-keys.ts', 'src/serve.ts'];
const places = [...features, ...foundations, 'graphql', 'rest', 'http', 'jobs', 'demo'];

interface Import {
  /** A file of the project (`src/…`), or the name of a package. */
  to: string;
  typeOnly: boolean;
}

interface Source {
  path: string;
  text: string;
  imports: Import[];
}

interface Rule {
  name: string;
  /** Answers what is wrong with a file, in words; nothing when it keeps the rule. */
  broken: (file: Source) => string[];
  /** A file that must be caught, to prove that the rule can fail. */
  planted: [path: string, text: string][];
}

const folderOf = (path: string) => (path.startsWith('src/') && path.split('/').length > 2 ? (path.split('/')[1] ?? '') : '');
const isFeature = (path: string) => features.includes(folderOf(path));
const isGraphql = (path: string) => path.startsWith('src/graphql/') || path.endsWith('.graphql.ts');
const isRest = (path: string) => path.startsWith('src/rest/') || path.endsWith('.rest.ts');
const isHttp = (path: string) => path.startsWith('src/http/');
const isDoor = (path: string) => isGraphql(path) || isRest(path);
const isComposition = (path: string) => compositions.includes(path);
const isDomain = (path: string) => !isDoor(path) && !isHttp(path) && !isComposition(path) && folderOf(path) !== 'demo';
const doorPackages =
  /^(fastify|@fastify\/.*|fastify-.*|graphql|graphql-.*|@graphql-.*|@pothos\/.*|@remix-run\/.*|content-disposition|cookie|negotiator)(\/|$)/;

const imports = (file: Source, bad: (target: Import) => boolean) => file.imports.filter(bad).map(({ to }) => `imports ${to}`);
const says = (file: Source, pattern: RegExp) =>
  [...withoutComments(file.text).matchAll(new RegExp(pattern, 'g'))].map(([match]) => `says ${match}`);

/** The house, as one table. */
const rules: Rule[] = [
  {
    name: 'every folder of src has a place in these rules',
    broken: ({ path }) =>
      folderOf(path) === '' || places.includes(folderOf(path)) ? [] : [`nobody says what ${folderOf(path)} may import`],
    planted: [['src/misc/helpers.ts', '']],
  },
  {
    name: `a feature imports only features to its left: ${features.join(' ← ')}`,
    broken: (file) =>
      imports(file, ({ to }) => isFeature(file.path) && features.indexOf(folderOf(to)) > features.indexOf(folderOf(file.path))),
    planted: [
      ['src/document/x.service.ts', `import { shareById } from '../share/share.loader.js';`],
      ['src/audit/audit.graphql.ts', `import type { FileRow } from '../file/file.service.js';`],
    ],
  },
  {
    name: 'what features stand on, and the files at the root of src, know no feature',
    broken: (file) => {
      const below = foundations.includes(folderOf(file.path)) || folderOf(file.path) === 'http';
      const atRoot = folderOf(file.path) === '' && !isComposition(file.path);
      return imports(file, ({ to }) => (below || atRoot) && (isFeature(to) || ['jobs', 'demo'].includes(folderOf(to))));
    },
    planted: [
      ['src/paging.ts', `import { documents } from './document/document.loader.js';`],
      ['src/db/rows.ts', `import type { FileRow } from '../file/file.service.js';`],
      ['src/http/context.ts', `import { getShare } from '../share/share.service.js';`],
    ],
  },
  {
    name: 'the domain knows no door: neither GraphQL nor HTTP, nor their packages',
    broken: (file) =>
      imports(file, ({ to }) => isDomain(file.path) && (isDoor(to) || isHttp(to) || isComposition(to) || doorPackages.test(to))).filter(
        (found) => !allowedInServe(file.path, found),
      ),
    planted: [
      ['src/share/share.service.ts', `import { GraphQLError } from 'graphql';`],
      ['src/file/x.service.ts', `import type { FastifyReply } from 'fastify';`],
      ['src/file/x.service.ts', `import { sendFile } from './send.rest.js';`],
      ['src/jobs/sweeper.ts', `import { builder } from '../graphql/builder.js';`],
      ['src/context.ts', `import type { FastifyRequest } from 'fastify';`],
      ['src/category/category.service.ts', `export * from '../http/context.js';`],
      ['src/category/category.service.ts', `const yoga = await import('graphql-yoga');`],
    ],
  },
  {
    name: 'the two doors do not know each other',
    broken: (file) => imports(file, ({ to }) => (isGraphql(file.path) && isRest(to)) || (isRest(file.path) && isGraphql(to))),
    planted: [
      ['src/share/share.graphql.ts', `import { shareRoutes } from './share.rest.js';`],
      ['src/rest/errors.ts', `import { maskError } from '../graphql/mask.js';`],
    ],
  },
  {
    name: 'what a door shares knows features by their door files only',
    broken: (file) =>
      imports(file, ({ to, typeOnly }) => !typeOnly && /^src\/(graphql|rest)\//.test(file.path) && isFeature(to) && !isDoor(to)),
    planted: [['src/graphql/upload.ts', `import { uploadFiles } from '../file/upload.service.js';`]],
  },
  {
    name: 'a door calls services: no ctx.db, no loaders, no Prisma client, no way round the tenant',
    broken: (file) =>
      isDoor(file.path)
        ? [
            ...imports(
              file,
              ({ to, typeOnly }) => to.endsWith('.loader.ts') || (!typeOnly && /^src\/db\/(tenant|client|generated\/client)\.ts$/.test(to)),
            ),
            ...says(file, /\b(ctx|tx|context)\.db\b|\.prisma\b|\basSystem\(|\basTenant\(|\.(load|count)\(ctx\b/),
          ]
        : [],
    planted: [
      ['src/share/share.graphql.ts', 'const row = await ctx.db.share.findFirst({});'],
      ['src/rest/x.ts', `import { Prisma } from '../db/generated/client.js';`],
      ['src/document/document.rest.ts', `import { documentById } from './document.loader.js';`],
      ['src/document/document.rest.ts', 'asTenant(ctx, id)'],
      ['src/document/document.graphql.ts', 'documentList.load(ctx, query)'],
    ],
  },
  {
    name: 'a door does not judge rights: policies do, in the services',
    broken: (file) => (isDoor(file.path) ? [...imports(file, ({ to }) => to.endsWith('.policy.ts')), ...says(file, /scopes\.has\(/)] : []),
    planted: [
      ['src/share/share.rest.ts', `import { canReadShares } from './share.policy.js';`],
      ['src/share/share.rest.ts', `if (viewer.scopes.has('shares:read')) {}`],
    ],
  },
  {
    name: 'a policy is a pure rule: it imports nothing but the means to state one',
    broken: (file) =>
      file.path.endsWith('.policy.ts') ? imports(file, ({ to, typeOnly }) => !typeOnly && to !== 'src/auth/policy.ts') : [],
    planted: [['src/share/share.policy.ts', `import { getShare } from './share.service.js';`]],
  },
  {
    name: 'nothing imports what puts the parts together',
    broken: (file) =>
      imports(file, ({ to, typeOnly }) => !typeOnly && !isComposition(file.path) && (isComposition(to) || folderOf(to) === 'jobs')),
    planted: [['src/http/health.ts', `import { openGateway } from '../gateway.js';`]],
  },
  {
    name: 'only env.ts reads the environment',
    broken: (file) => (file.path === 'src/env.ts' ? [] : says(file, /process\.env\b|\bfrom 'node:process'/)),
    planted: [['src/file/x.service.ts', 'const limit = process.env.MAX_FILE_SIZE;']],
  },
  {
    name: 'no index.ts: a file is imported by its own name',
    broken: ({ path }) => (posix.basename(path) === 'index.ts' ? ['is a barrel'] : []),
    planted: [['src/share/index.ts', `export * from './share.service.js';`]],
  },
  {
    name: 'ways round the tenant are few: sweepers, share tokens, signed links',
    broken: (file) => (mayLeaveTenant.test(file.path) ? [] : says(file, /\basSystem\(|\basTenant\(/)),
    planted: [['src/document/document.service.ts', 'asSystem(ctx).document.findMany()']],
  },
];

const mayLeaveTenant =
  /^src\/(context\.ts|idempotency\.sweeper\.ts|file\/((file|removal)\.sweeper|download\.service)\.ts|document\/document\.sweeper\.ts|share\/(share\.sweeper|open\.service)\.ts|upload\/part\.service\.ts|(upload|rendition|move)\/[a-z]+\.(sweeper|runner)\.ts)$/;
/** `serve.ts` is the pure half of a download: it computes headers and needs the RFC's spelling of one. */
const allowedInServe = (path: string, found: string) => path === 'src/file/serve.ts' && found === 'imports content-disposition';

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

function parse(path: string, text: string): Source {
  const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  const found = [...withoutComments(text).matchAll(statement)].map(([, type, from, dynamic]) => ({
    typeOnly: type !== undefined,
    to: resolved(path, from ?? dynamic ?? ''),
  }));
  return { path, text, imports: found };
}

const resolved = (path: string, to: string) => (to.startsWith('.') ? posix.join(posix.dirname(path), to).replace(/\.js$/, '.ts') : to);

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => posix.join('src', path.replaceAll('\\', '/')))
  .filter((path) => path.endsWith('.ts') && !path.startsWith('src/db/generated/'))
  .map((path) => parse(path, readFileSync(join(root, path), 'utf8')));

describe.each(rules)('$name', ({ broken, planted }) => {
  test('holds', () => {
    expect(files.flatMap((file) => broken(file).map((what) => `${file.path} ${what}`))).toEqual([]);
  });
  test.each(planted)('catches a violation in %s: %s', (path, text) => {
    expect(broken(parse(path, text))).not.toEqual([]);
  });
});

describe('imports', () => {
  test('are read as they are written', () => {
    const read = parse(
      'src/share/x.ts',
      `import type { A } from './a.js';\nimport {\n  b,\n  type C,\n} from '../b.js';\nimport './c.js';\nexport * from 'd';\n// import './e.js'\nawait import('f');`,
    );
    expect(read.imports).toEqual([
      { to: 'src/share/a.ts', typeOnly: true },
      { to: 'src/b.ts', typeOnly: false },
      { to: 'src/share/c.ts', typeOnly: false },
      { to: 'd', typeOnly: false },
      { to: 'f', typeOnly: false },
    ]);
    expect(files.length).toBeGreaterThan(80);
    const missing = files.flatMap(({ path, imports: found }) =>
      found
        .filter(({ to }) => to.startsWith('src/') && !to.startsWith('src/db/generated/') && !files.some((file) => file.path === to))
        .map(({ to }) => `${path} → ${to}`),
    );
    expect(missing).toEqual([]);
  });

  test('never run in a circle', () => {
    expect(circleIn(files)).toBeNull();
    const planted = [
      parse('src/a.ts', `import './b.js';`),
      parse('src/b.ts', `import './c.js';`),
      parse('src/c.ts', `export * from './a.js';`),
    ];
    expect(circleIn(planted)).toEqual(['src/a.ts', 'src/b.ts', 'src/c.ts', 'src/a.ts']);
    expect(circleIn([parse('src/a.ts', `import './b.js';`), parse('src/b.ts', `import type { A } from './a.js';`)])).toBeNull();
  });
});

/** The first circle of imports that are there at run time, as the way round it; null when there is none. */
function circleIn(sources: Source[]): string[] | null {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const walk = (path: string, way: string[]): string[] | null => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const { to, typeOnly } of byPath.get(path)?.imports ?? []) {
      const circle = typeOnly ? null : walk(to, [...way, path]);
      if (circle) return circle;
    }
    done.add(path);
    return null;
  };
  for (const { path } of sources) {
    const circle = walk(path, []);
    if (circle) return circle;
  }
  return null;
}
