import { html, type SafeHtml } from '@remix-run/html-template';
import type { PageFile } from './page.model.js';
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
      return html`<div class="stage">${marked(watermark)}<pre class="paper" tabindex="0" dir="auto">${preview.text}</pre>${more(preview.truncated)}</div>`;
    case 'table':
      return html`<div class="stage">${marked(watermark)}${table(preview.rows)}${more(preview.truncated)}</div>`;
  }
}

function pages(file: PageFile, { from, to, count }: Extract<PagePreview, { kind: 'pages' }>): SafeHtml {
  const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const step = to - from + 1;
  const around = html`<p class="meta">Pages ${from} to ${to} of ${count}
${from > 1 ? html`<a href="${file.pageHref}&amp;page=${Math.max(1, from - 20)}#preview">Earlier pages</a>` : null}
${to < count ? html`<a href="${file.pageHref}&amp;page=${from + step}#preview">Later pages</a>` : null}</p>`;
  return html`<div class="stage">${numbers.map((number) => picture(file, number, `Page ${number} of ${count}`))}
${count > step ? around : null}</div>`;
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

const aligned = (cell = '') => (/^[-+]?[\d.,' ]+$/.test(cell) ? html` class="number"` : null);

const more = (truncated: boolean) => (truncated ? html`<p class="meta">This is the beginning; the file goes on.</p>` : null);

/** Drawn by the stylesheet: it is to be seen, and neither read out nor copied with the text. */
const marked = (watermark: string) =>
  watermark === ''
    ? null
    : html`<div class="watermark" aria-hidden="true"><div class="marks">${Array.from({ length: 48 }, () => html`<span data-text="${watermark}"></span>`)}</div></div>`;
