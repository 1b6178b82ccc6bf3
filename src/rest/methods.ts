import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify';
import { DomainError } from '../errors.js';

const all: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Notes the methods of each path, so that the others can be refused. Call before any route is added. */
export function watchRoutes(app: FastifyInstance): Map<string, Set<string>> {
  const paths = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }: RouteOptions) => {
    const methods = paths.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    if (methods.has('GET')) methods.add('HEAD');
    paths.set(url, methods);
  });
  return paths;
}

/** OPTIONS tells what a path can do; other methods are 405 with `Allow`. */
export function refuseOtherMethods(app: FastifyInstance, paths: Map<string, Set<string>>): void {
  for (const [url, methods] of [...paths]) {
    const allow = [...new Set([...methods, 'OPTIONS'])].join(', ');
    const others = all.filter((method) => !methods.has(method));
    if (!methods.has('OPTIONS'))
      app.route({
        method: 'OPTIONS',
        url,
        schema: { hide: true },
        handler: (_request, reply) => reply.header('allow', allow).status(204).send(),
      });
    if (others.length === 0) continue;
    app.route({
      method: others,
      url,
      schema: { hide: true },
      exposeHeadRoute: false,
      // Before the body is read: whatever it is, it is not wanted.
      onRequest: async (request, reply) => {
        reply.header('allow', allow);
        throw new DomainError('METHOD_NOT_ALLOWED', `Method "${request.method}" not allowed.`);
      },
      handler: () => {},
    });
  }
}
