import { unavailable } from '../errors.js';
import { type ClamdAddress, ClamdSession } from './clamd.js';

/** What becomes of a file that no scanner can vouch for. */
export type ScanPolicy = 'fail-closed' | 'fail-open';

export interface ScannerConfig {
  address: ClamdAddress;
  policy: ScanPolicy;
  /** How long the scanner may be silent while it is waited for, in milliseconds. */
  timeout: number;
}

/** NOT_SCANNED: the scanner could not tell, and the policy lets that pass. */
export type ScanResult = { verdict: 'CLEAN' | 'NOT_SCANNED' } | { verdict: 'INFECTED'; signature: string };

/** One file on its way through the scanner. */
export interface Scan {
  /** Resolves when the scanner wants more. @throws DomainError UNAVAILABLE once it cannot vouch, under fail-closed */
  write(chunk: Uint8Array): Promise<void>;
  /** After the last chunk. @throws DomainError UNAVAILABLE if it cannot vouch, under fail-closed */
  result(): Promise<ScanResult>;
  /** Lets go of a scan whose result nobody will ask for. */
  abort(): void;
}

export interface Scanner {
  begin(): Scan;
}

/** @param onFailure told whenever the scanner could not vouch for a file, whatever the policy makes of it */
export function createScanner(config: ScannerConfig, onFailure: (reason: unknown) => void): Scanner {
  return { begin: () => beginScan(config, onFailure) };
}

function beginScan({ address, policy, timeout }: ScannerConfig, onFailure: (reason: unknown) => void): Scan {
  const session = new ClamdSession(address, timeout);
  let failed = false;
  /** Runs a step unless an earlier one failed; null when the scanner cannot vouch and need not. */
  const attempt = async <Result>(step: () => Promise<Result>): Promise<Result | null> => {
    if (failed) return null;
    try {
      return await step();
    } catch (error) {
      failed = true;
      session.abort();
      onFailure(error);
      if (policy === 'fail-open') return null;
      throw cannotVouch(error);
    }
  };
  return {
    write: async (chunk) => {
      await attempt(() => session.write(chunk));
    },
    result: async () => {
      const answer = await attempt(() => session.finish());
      if (answer === null) return { verdict: 'NOT_SCANNED' };
      return answer.infected ? { verdict: 'INFECTED', signature: answer.signature } : { verdict: 'CLEAN' };
    },
    abort: () => session.abort(),
  };
}

const cannotVouch = (cause: unknown) =>
  unavailable('The virus scanner could not check the file, so it was not accepted. Try again later.', { cause });
