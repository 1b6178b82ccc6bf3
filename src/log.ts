import pino, { type DestinationStream, type Logger } from 'pino';

/** @param to by default standard output */
export const createLogger = (level: string, to?: DestinationStream): Logger =>
  pino({ level, redact: ['req.headers.authorization', '*.password', '*.credentials', '*.token', 'err.config', 'err.meta'] }, to);
