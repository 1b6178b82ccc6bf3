import { html, type SafeHtml } from '@remix-run/html-template';
import type { PageFile } from './page.model.js';
import type { Part } from './page.parts.js';
import type { PagePreview } from './page.preview.js';

/** The preview of a file; null where there is none. @param watermark shown across texts; pictures have it in them */
export function previewView(file: PageFile, preview: PagePreview, watermark: string): SafeHtml | null {
  switch (preview.kind) {
    case 'none':
      return null;
    case 'image':
      return html`<div class="stage">${picture(file, 1, file.name)}</div>`;
    case 'pages':
      return pages(file, preview);
    case 'text':
      return html`<div class="stage">${marked(watermark)}<pre class="paper" tabindex="0" dir="auto">\n${preview.text}</pre>${more(file, preview)}</div>`;
    case 'table':
      return html`<div class="stage">${marked(watermark)}${table(preview.rows)}${more(file, preview)}</div>`;
  }
}

function pages(file: PageFile, { from, to, count }: Extract<PagePreview, { kind: 'pages' }>): SafeHtml {
  const step = to - from + 1;
  const numbers = Array.from({ length: step }, (_, index) => from + index);
  return html`<div class="stage">${numbers.map((number) => picture(file, number, `Page ${number} of ${count}`))}
${count > step ? steps(`Pages ${from} to ${to} of ${count}`, pageHref(file, from > 1 && Math.max(1, from - 20)), pageHref(file, to < count && to + 1)) : null}</div>`;
}

/** The first one is wanted at once, the others when they come into view. */
const picture = (file: PageFile, page: number, alt: string) => {
  const at = (width: number) => `${file.previewHref}?page=${page}&width=${width}`;
  return html`<img class="paper" src="${at(1024)}" srcset="${at(640)} 640w, ${at(1024)} 1024w, ${at(1600)} 1600w" sizes="(min-width: 60rem) 50rem, 92vw" alt="${alt}" decoding="async"${page > 1 ? html` loading="lazy" width="1024" height="1448"` : null}>`;
};

/** Names of columns stand where their first value stands. */
const table = ([head = [], ...rows]: string[][]) => html`<div class="paper scroll" tabindex="0" role="region" aria-label="Table"><table>
<thead><tr>${head.map((cell, column) => html`<th scope="col"${aligned(rows[0]?.[column])}>${cell}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td${aligned(cell)}>${cell}</td>`)}</tr>\n`)}</tbody>
</table></div>`;

function aligned(cell = '') {
  if (/^[-+]?[\d.,' ]+$/.test(cell)) return html` class="number"`;
  // A date or a number of an account is not to be broken at its hyphens.
  return /^[\d:/.-]{1,20}$/.test(cell) ? html` class="whole"` : null;
}

/** The way to the rest of what is shown in parts. */
function more(file: PageFile, { part: { number, count }, truncated }: { part: Part; truncated: boolean }): SafeHtml | null {
  const end = truncated && number === count ? html`<p class="meta">This is the beginning; the file goes on.</p>` : null;
  if (count === 1) return end;
  return html`${end}${steps(`Part ${number} of ${count}`, pageHref(file, number > 1 && number - 1), pageHref(file, number < count && number + 1))}`;
}

const pageHref = ({ pageHref }: PageFile, page: number | false) => (page === false ? null : `${pageHref}&page=${page}#preview`);

/** A line that says which of several is shown, with the ways to its neighbours. */
export const steps = (text: string, earlier: string | null, later: string | null): SafeHtml => html`<p class="steps">
${earlier === null ? null : html`<a class="button plain" href="${earlier}" rel="prev">Earlier</a>`}
<span class="meta">${text}</span>
${later === null ? null : html`<a class="button plain" href="${later}" rel="next">Later</a>`}</p>`;

/** Drawn by the stylesheet: it is to be seen, and neither read out nor copied with the text. */
const marked = (watermark: string) =>
  watermark === ''
    ? null
    : html`<div class="watermark" aria-hidden="true"><div class="marks">${Array.from({ length: marksOf(watermark) }, () => html`<span data-text="${watermark}"></span>`)}</div></div>`;

/** Enough to fill a screen: long ones fill it sooner. */
const marksOf = ({ length }: string) => Math.max(16, Math.min(48, Math.round(2400 / (length + 6))));
