import { html, type SafeHtml } from '@remix-run/html-template';
import { type DomainError, type GoneReason, RateLimitedError, ShareGoneError } from '../errors.js';
import { bar, drawn, type Page } from './page.shell.rest.js';
import { moment, waitText } from './page.time.rest.js';

const lock = drawn('M8 11V8a4 4 0 0 1 8 0v3M6 11h12v9H6zM12 15v2', 24, 24);
const broken = drawn('M10 14a4 4 0 0 1 0-5.5l2-2a4 4 0 0 1 5.6 5.6M14 10a4 4 0 0 1 0 5.5l-2 2a4 4 0 0 1-5.6-5.6M4 4l16 16', 24, 24);

const clock = drawn('M12 7v5l3 2M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18', 24, 24);

const notice = (kind: string, sign: SafeHtml, title: string, text: SafeHtml | string, more?: SafeHtml) => html`${bar}
<main><div class="card notice ${kind}">
<div class="sign">${sign}</div>
<h1>${title}</h1>
<p>${text}</p>
${more}
</div></main>`;

/** Asks for the password of a share. @param wrong what is said about the last attempt */
export const passwordView = (path: string, status: number, wrong: string | null): Page => ({
  status,
  title: 'Password needed',
  body: notice(
    '',
    lock,
    'This link needs a password',
    'Whoever sent you the link has it. It is not the password of your e-mail.',
    html`<form method="post" action="${path}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="off" maxlength="200" required autofocus${
      wrong === null ? null : html` aria-invalid="true" aria-describedby="wrong"`
    }>
${wrong === null ? null : html`<p class="wrong" id="wrong" role="alert">${wrong}</p>`}
<button class="button">Open</button>
</form>`,
  ),
});

const again = 'Ask whoever sent it to you for a new one.';
const gone: Record<GoneReason, { title: string; text: string }> = {
  EXPIRED: { title: 'This link has expired', text: again },
  REVOKED: { title: 'This link was withdrawn', text: again },
  USED_UP: { title: 'This link is used up', text: `Its files were downloaded as often as it allows. ${again}` },
  DOCUMENT_UNAVAILABLE: { title: 'This document is not available', text: 'Ask whoever sent you the link.' },
  FILE_UNAVAILABLE: { title: 'This file is not available', text: 'Ask whoever sent you the link.' },
  NOT_YET: { title: 'This link does not open yet', text: 'Come again later.' },
};

/** What is said about a password that was not taken; null for what has nothing to do with it. */
export function passwordComplaint(error: DomainError): string | null {
  if (error instanceof RateLimitedError) return tooMany(error);
  return error.code === 'PASSWORD_REQUIRED' ? 'That is not the password of this link. Try again.' : null;
}

const tooMany = ({ retryAfter }: RateLimitedError) => `Too many attempts. You can try again in ${waitText(retryAfter)}.`;

/** Says why nothing is shown, and nothing about what would have been shown. */
export const errorView = (error: DomainError): Page => {
  const { title, text } = words(error);
  return { status: error.status, title, body: notice('closed', error.code === 'NOT_YET' ? clock : broken, title, text) };
};

function words(error: DomainError): { title: string; text: SafeHtml | string } {
  if (error instanceof ShareGoneError) return closedWords(error);
  switch (error.code) {
    case 'NOT_FOUND':
      return { title: 'There is nothing here', text: 'Check that the address is complete: it may have been cut when it was copied.' };
    case 'FORBIDDEN':
      return { title: 'This is not allowed', text: error.message };
    case 'RATE_LIMITED':
      return { title: 'Too many attempts', text: error instanceof RateLimitedError ? tooMany(error) : error.message };
    case 'UNAVAILABLE':
      return { title: 'Not available at the moment', text: 'Try again in a minute.' };
    default:
      return { title: 'This did not work', text: error.message };
  }
}

const closedWords = ({ reason, opensAt }: ShareGoneError) =>
  opensAt === null ? gone[reason] : { ...gone[reason], text: html`It opens on ${moment(opensAt)}.` };
