import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { categoryRoutes } from '../category/category.rest.js';
import { viewerOf } from '../context.js';
import { DomainError } from '../errors.js';
import { creationRoutes } from '../file/creation.rest.js';
import { documentRoutes, reviewRoutes } from '../file/document.rest.js';
import { downloadRoutes } from '../file/download.rest.js';
import { fileRoutes } from '../file/file.rest.js';
import { uploadRoutes } from '../file/upload.rest.js';
import { contextOf } from '../http/context.js';
import { renditionRoutes } from '../rendition/rendition.rest.js';
import { accessRoutes } from '../share/access.rest.js';
import { assetRoutes } from '../share/page.assets.rest.js';
import { pageRoutes } from '../share/page.rest.js';
import { previewRoutes } from '../share/preview.rest.js';
import { shareRoutes } from '../share/share.rest.js';
import { transferRoutes } from '../share/transfer.rest.js';
import { storageRoutes } from '../storage/storage.rest.js';
import { partRoutes } from '../upload/part.rest.js';
import { tusDiscovery, tusRoutes } from '../upload/tus.rest.js';
import { stagedUploadRoutes } from '../upload/upload.rest.js';
import { parseJsonBody } from './body.js';
import { answerError } from './errors.js';
import { honourKeys } from './idempotent.js';
import { refuseOtherMethods, watchRoutes } from './methods.js';
import { describeRoutes } from './openapi.js';
import { validatorCompiler } from './validate.js';

/** The REST door: every `*.rest.ts`, and one way for errors to leave. */
export const restDoor: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) => answerError(new DomainError('NOT_FOUND', 'Not found.'), request, reply));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  readJsonOnly(app);
  // No body is an empty one, as one of no bytes that says that it is JSON.
  app.addHook('preValidation', async (request) => {
    if (request.routeOptions.schema?.body && request.body === undefined) request.body = {};
  });
  app.decorateRequest('form', null);
  await describeRoutes(app);
  const paths = watchRoutes(app);
  await app.register(fileRoutes);
  await app.register(renditionRoutes);
  await app.register(partRoutes);
  await app.register(tusDiscovery);
  await app.register(transferRoutes);
  await app.register(pageRoutes);
  await app.register(assetRoutes);
  await app.register(previewRoutes);
  await app.register(authenticatedRoutes);
  refuseOtherMethods(app, paths);
};

/** Whoever has no valid token hears of it before anything else is looked at. */
const authenticatedRoutes: FastifyPluginAsync = async (app) => {
  app.addHook('onRequest', async (request) => {
    request.ctx = await contextOf(request);
    viewerOf(request.ctx);
  });
  honourKeys(app);
  await app.register(storageRoutes);
  await app.register(categoryRoutes);
  await app.register(creationRoutes);
  await app.register(documentRoutes);
  await app.register(reviewRoutes);
  await app.register(uploadRoutes);
  await app.register(downloadRoutes);
  // Before what has GET there: HEAD is its own.
  await app.register(tusRoutes);
  await app.register(stagedUploadRoutes);
  await app.register(shareRoutes);
  await app.register(accessRoutes);
};

function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    const charset = /charset=["']?([\w-]+)/i.exec(request.headers['content-type'] ?? '')?.[1];
    if (charset && charset.toLowerCase() !== 'utf-8') {
      throw new DomainError('UNSUPPORTED_MEDIA_TYPE', `Unsupported media type "application/json; charset=${charset}" in request.`);
    }
    return parseJsonBody(body);
  });
}
