import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { z } from 'zod';
import { DomainError, ForbiddenError } from '../errors.js';
import { outsiderContext } from '../http/context.js';
import { errorHeaders } from '../rest/errors.js';
import { grantOf, keepGrant } from './grant.rest.js';
import { type OpenedShare, previewShare } from './open.service.js';
import { answerErrorPage, basePath } from './page.error.rest.js';
import { selectedFile, sharePage } from './page.model.js';
import { passwordComplaint, passwordView } from './page.notice.rest.js';
import { pagePreview } from './page.preview.js';
import { sendPage } from './page.shell.rest.js';
import { sharePageView } from './page.view.rest.js';

const MAX_FORM = 4096;
const params = z.object({ token: z.string() });
const query = z.object({ file: z.string().optional().catch(undefined), page: z.coerce.number().int().min(1).optional().catch(undefined) });
const form = z.object({ password: z.string().catch('') });

/** `/s/{token}`: the page that outsiders see. The right password leaves a grant in the browser and comes back here. */
export const pageRoutes: FastifyPluginAsync = async (app) => {
  app.setErrorHandler(answerErrorPage);
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: MAX_FORM },
    async (_: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
  );
  app.get('/s/:token', async (request, reply) => {
    const { token } = params.parse(request.params);
    const opened = await previewShare(outsiderContext(request), token, { grant: grantOf(request) });
    return sendSharePage(reply, opened, query.parse(request.query));
  });
  app.post('/s/:token', async (request, reply) => {
    refuseOtherSites(request.headers['sec-fetch-site']);
    const { token } = params.parse(request.params);
    const { password } = form.parse(request.body ?? {});
    const ctx = outsiderContext(request);
    const path = `${basePath(ctx.baseUrl)}/s/${token}`;
    try {
      const { grant } = await previewShare(ctx, token, { password });
      if (grant !== null) keepGrant(reply, ctx.baseUrl, token, grant);
      return reply.redirect(path, 303);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const complaint = passwordComplaint(error);
      if (complaint === null) throw error;
      return sendPage(reply.headers(errorHeaders(error)), basePath(ctx.baseUrl), passwordView(path, error.status, complaint));
    }
  });
};

/** A form of another site could use up the attempts of whoever visits it. */
function refuseOtherSites(site: string | string[] | undefined): void {
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new ForbiddenError('FORBIDDEN', 'Open the link itself and give the password there.');
}

/** The page of an opened share. @param wanted the id of the file to show, by default the first, and its first page */
export async function sendSharePage(reply: FastifyReply, opened: OpenedShare, wanted: z.output<typeof query> = {}) {
  const selected = selectedFile(opened.files, wanted.file);
  const preview = selected ? await pagePreview(opened, selected, wanted.page) : { kind: 'none' as const };
  const base = basePath(opened.ctx.baseUrl);
  return sendPage(reply, base, sharePageView(sharePage(opened, `${base}/s/${opened.token}`, selected, preview)));
}
