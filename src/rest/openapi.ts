import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { operationTags } from './operation.js';

const zodToJsonConfig = { unrepresentable: 'any' } as const;

/** The reference is this server's files alone, and one style that its script adds (the browser's test tells when it changes). */
const referencePolicy = [
  "default-src 'self'",
  "style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** OpenAPI 3.1 of every route that has a tag, at `/openapi.json`, and a page to read it at `/docs/`. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Docgate',
        version: '1',
        description:
          'Documents, their files, reviews and shares. Speaks the contract that legacy clients know; GraphQL at /graphql does more.',
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: '/' }],
      tags: operationTags.map((name) => ({ name, description: `Operations on ${name.toLowerCase()}.` })),
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    hideUntagged: true,
    transform: withForms(createJsonSchemaTransform({ zodToJsonConfig })),
    transformObject: withUsedSchemas(createJsonSchemaTransformObject({ zodToJsonConfig })),
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: referencePolicy });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

type TransformObject = ReturnType<typeof createJsonSchemaTransformObject>;

/** Describes what has an id once, under it; without the forms of it that no operation takes. */
function withUsedSchemas(transform: TransformObject): TransformObject {
  return (described) => {
    const document = transform(described);
    if (!('components' in document)) return document;
    const text = JSON.stringify(document.paths);
    const isUsed = (name: string) => !name.endsWith('Input') || text.includes(`"#/components/schemas/${name}"`);
    const used = Object.entries(document.components?.schemas ?? {}).filter(([name]) => isUsed(name));
    return { ...document, components: { ...document.components, schemas: Object.fromEntries(used) } } as typeof document; // with fewer schemas
  };
}

type Transform = ReturnType<typeof createJsonSchemaTransform>;

/** Shows a body in each media type that a route takes: JSON, a form (see operation.ts), or both. */
function withForms(transform: Transform): Transform {
  return (route) => {
    if (!route.schema || !('form' in route.schema)) return transform(route);
    const { form, json, ...schema } = route.schema as FastifySchema & { form: unknown; json?: unknown }; // as operation() made it
    const bodyOf = (body: unknown) => ({ schema: transform({ ...route, schema: { body } }).schema.body });
    const transformed = transform({ ...route, schema: { ...schema, body: undefined } });
    const content = { ...(json !== undefined && { 'application/json': bodyOf(json) }), 'multipart/form-data': bodyOf(form) };
    return { ...transformed, schema: { ...transformed.schema, body: { content } } };
  };
}
