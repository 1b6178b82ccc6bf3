import { html, type SafeHtml } from '@remix-run/html-template';
import type { PageFile, SharePage } from './page.model.js';
import { previewView, steps } from './page.preview.rest.js';
import { bar, drawn, type Page } from './page.shell.rest.js';
import { moment } from './page.time.rest.js';

const check = drawn('M5 12.5l4.5 4.5L19 7.5', 24, 14);
const clock = drawn('M12 7v5l3 2M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18', 24, 14);
/** Drawn once and used by every row: a document may have hundreds of files. */
const arrowSymbol = html`<svg class="quiet" aria-hidden="true"><symbol id="arrow" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 20h14"/></symbol></svg>`;
const arrow = html`<svg width="20" height="20" aria-hidden="true"><use href="#arrow"/></svg>`;

/** The page of a share that opens. */
export const sharePageView = (page: SharePage): Page => ({
  status: 200,
  title: `${page.name} – shared document`,
  body: html`<a class="skip" href="#preview">Skip to the preview</a>
${arrowSymbol}
${bar}
<main class="two">
<div class="side">
${about(page)}
${page.fileCount > 1 ? fileList(page) : null}
</div>
${preview(page)}
</main>
<footer class="foot">Only people with this link can see this page.</footer>`,
});

const about = (page: SharePage) => html`<section class="card about">
<p class="pill${page.approved ? ' approved' : ''}">${page.approved ? html`${check}Approved` : html`${clock}Waiting for review`}</p>
<h1 dir="auto">${page.name}</h1>
${page.description === '' ? null : html`<p class="description" dir="auto">${page.description}</p>`}
<dl class="facts">
<dt>Open until</dt><dd>${moment(page.expiresAt)}</dd>
<dt>${page.fileCount === 1 ? 'File' : 'Files'}</dt><dd>${page.fileCount === 0 ? 'None yet' : `${page.fileCount}, ${page.size}`}</dd>
<dt>Downloads</dt><dd>${downloads(page)}</dd>
</dl>
${page.zipHref === null ? null : html`<a class="button plain" href="${page.zipHref}" download>${arrow}Download all as zip</a>`}
</section>`;

function downloads({ allowDownload, downloadsLeft }: SharePage): string {
  if (!allowDownload) return 'Off: this link is for reading only';
  return downloadsLeft === null ? 'As often as you like' : `${downloadsLeft} left`;
}

const fileList = ({
  files,
  filesFrom,
  fileCount,
  earlierHref,
  laterHref,
  selected,
}: SharePage) => html`<nav class="card files" aria-labelledby="files">
<h2 id="files">Files</h2>
<ul>
${files.map((file) => fileRow(file, file === selected))}
</ul>
${fileCount > files.length ? steps(`${filesFrom} to ${filesFrom + files.length - 1} of ${fileCount}`, earlierHref, laterHref) : null}
</nav>`;

const fileRow = (file: PageFile, current: boolean) => html`<li${current ? html` class="current"` : null}>
<a class="file" href="${file.href}"${current ? html` aria-current="true"` : null}>${sheet(file)}
<span class="text"><bdi class="name">${file.name}</bdi><span class="meta">${file.badge}, ${file.size}</span></span></a>
${file.downloadHref === null ? null : html`<a class="get" href="${file.downloadHref}" download aria-label="Download ${file.name}">${arrow}</a>`}
</li>`;

const sheet = ({ kind, badge, thumbnail }: PageFile, size = '') =>
  html`<span class="sheet ${kind} ${size}" aria-hidden="true">${badge}${thumbnail === null || size !== '' ? null : html`<img src="${thumbnail}" alt="" loading="lazy" decoding="async">`}</span>`;

const preview = ({ selected, preview, watermark }: SharePage) =>
  selected === null
    ? html`<section class="card preview" id="preview" tabindex="-1" aria-label="Preview">
<div class="stage empty"><p>This document has no files yet.</p></div>
</section>`
    : html`<section class="card preview" id="preview" tabindex="-1" aria-labelledby="shown">
<header><div><h2 id="shown"><bdi>${selected.name}</bdi></h2><p class="meta">${selected.badge}, ${selected.size}</p></div>
${download(selected)}
</header>
${previewView(selected, preview, watermark) ?? noPreview(selected)}
</section>`;

const download = ({ downloadHref }: PageFile): SafeHtml | null =>
  downloadHref === null ? null : html`<a class="button" href="${downloadHref}" download>${arrow}Download</a>`;

const noPreview = (file: PageFile) => html`<div class="stage empty">${sheet(file, 'big')}
<p>There is no preview of this file.</p></div>`;
