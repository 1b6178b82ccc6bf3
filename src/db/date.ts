const earliest = Date.parse('0001-01-01T00:00:00Z');
const latest = Date.parse('9999-12-31T23:59:59.999Z');

/** Whether PostgreSQL reads a date as JavaScript writes it: it has no year 0, and takes no sign before a year. */
export const isStorableDate = (date: Date): boolean => date.getTime() >= earliest && date.getTime() <= latest;
