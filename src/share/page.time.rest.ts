import { html } from '@remix-run/html-template';

/** In UTC; the script beside the page puts it into the reader's time zone. */
export const moment = (time: Date) => html`<time datetime="${time.toISOString()}">${utc.format(time)} UTC</time>`;
const utc = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});

/** How long to wait, rounded up: "40 seconds", "12 minutes". */
export function waitText(seconds: number): string {
  const [amount, unit] = seconds < 60 ? [Math.max(1, Math.ceil(seconds)), 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}
