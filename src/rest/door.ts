import type { FastifyPluginAsync } from 'fastify';
import { fileRoutes } from '../file/file.rest.js';
import { shareRoutes } from '../share/share.rest.js';
import { answerError } from './errors.js';

/** The REST door: every `*.rest.ts`, and one way for errors to leave. */
export const restDoor: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerError);
  await app.register(fileRoutes);
  await app.register(shareRoutes);
};
