// Shows moments in the reader's time zone. Without it they are there in UTC.
const format = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
});
for (const time of document.querySelectorAll('time')) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}
